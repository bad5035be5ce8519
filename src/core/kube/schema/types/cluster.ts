/** Field tables of v1 Namespace, ConfigMap, Secret, Event and ServiceAccount and of Lease, in the notation of ../notation.ts. */

export const CLUSTER_TYPES = {
  package: 'io.k8s.api.core.v1',
  text: `
Namespace apiVersion kind metadata=1:ObjectMeta spec=2:NamespaceSpec status=3:NamespaceStatus
NamespaceSpec finalizers=1:[]string
NamespaceStatus conditions=2:[]NamespaceCondition~type phase=1
NamespaceCondition lastTransitionTime=4:time message=6 reason=5 status!=2 type!=1
ConfigMap apiVersion binaryData=3:map:bytes data=2:map immutable=4*:bool kind metadata=1:ObjectMeta
Secret apiVersion data=2:map:bytes immutable=5*:bool kind metadata=1:ObjectMeta stringData=4:map type=3
Event action=12 apiVersion count=8:int32 eventTime=10:microTime firstTimestamp=6:time
  involvedObject!=2:ObjectReference kind lastTimestamp=7:time message=4 metadata=1:ObjectMeta reason=3
  related=13*:ObjectReference reportingComponent=14 reportingInstance=15 series=11*:EventSeries
  source=5:EventSource type=9
ObjectReference apiVersion=5 fieldPath=7 kind=1 name=3 namespace=2 resourceVersion=6 uid=4
EventSeries count=1:int32 lastObservedTime=2:microTime
EventSource component=1 host=2
ServiceAccount apiVersion automountServiceAccountToken=4*:bool imagePullSecrets=3:[]LocalObjectReference
  kind metadata=1:ObjectMeta secrets=2:[]ObjectReference~name
`,
} as const;

export const LEASE_TYPES = {
  package: 'io.k8s.api.coordination.v1',
  text: `
Lease apiVersion kind metadata=1:ObjectMeta spec=2:LeaseSpec
LeaseSpec acquireTime=3*:microTime holderIdentity=1* leaseDurationSeconds=2*:int32 leaseTransitions=5*:int32
  preferredHolder=7* renewTime=4*:microTime strategy=6*
`,
} as const;
