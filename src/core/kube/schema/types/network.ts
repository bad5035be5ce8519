/** Field tables of Service, EndpointSlice and NetworkPolicy, in the notation of ../notation.ts (Kubernetes 1.36). */

export const SERVICE_TYPES = {
  package: 'io.k8s.api.core.v1',
  text: `
Service apiVersion kind metadata=1:ObjectMeta spec=2:ServiceSpec status=3:ServiceStatus
ServiceSpec allocateLoadBalancerNodePorts=20*:bool clusterIP=3 clusterIPs=18:[]string externalIPs=5:[]string
  externalName=10 externalTrafficPolicy(|Cluster|Local)=11 healthCheckNodePort=12:int32
  internalTrafficPolicy(|Cluster|Local)=22* ipFamilies(IPv4|IPv6)=19:[]string
  ipFamilyPolicy(|SingleStack|PreferDualStack|RequireDualStack)=17* loadBalancerClass=21* loadBalancerIP=8
  loadBalancerSourceRanges=9:[]string ports=1:[]ServicePort~port publishNotReadyAddresses=13:bool
  selector=2:map sessionAffinity(|ClientIP|None)=7 sessionAffinityConfig=14*:SessionAffinityConfig
  trafficDistribution=23* type(|ClusterIP|NodePort|LoadBalancer|ExternalName)=4
ServicePort appProtocol=6* name=1 nodePort=5:int32 port!=3:int32 protocol(|TCP|UDP|SCTP)=2
  targetPort=4:intOrString
SessionAffinityConfig clientIP=1*:ClientIPConfig
ClientIPConfig timeoutSeconds=1*:int32
ServiceStatus conditions=2:[]Condition~type loadBalancer=1:LoadBalancerStatus
LoadBalancerStatus ingress=1:[]LoadBalancerIngress
LoadBalancerIngress hostname=2 ip=1 ipMode=3* ports=4:[]PortStatus
PortStatus error=3* port!=1:int32 protocol!=2
`,
} as const;

export const ENDPOINT_SLICE_TYPES = {
  package: 'io.k8s.api.discovery.v1',
  text: `
EndpointSlice addressType(IPv4|IPv6|FQDN)!=4 apiVersion endpoints=2:[]Endpoint kind metadata=1:ObjectMeta
  ports=3:[]EndpointPort
Endpoint addresses!=1:[]string conditions=2:EndpointConditions deprecatedTopology=5:map
  hints=8*:EndpointHints hostname=3* nodeName=6* targetRef=4*:ObjectReference zone=7*
EndpointConditions ready=1*:bool serving=2*:bool terminating=3*:bool
EndpointHints forNodes=2:[]ForNode forZones=1:[]ForZone
ForNode name!=1
ForZone name!=1
EndpointPort appProtocol=4* name=1 port=2:int32 protocol(|TCP|UDP|SCTP)=3
`,
} as const;

export const NETWORK_POLICY_TYPES = {
  package: 'io.k8s.api.networking.v1',
  text: `
NetworkPolicy apiVersion kind metadata=1:ObjectMeta spec=2:NetworkPolicySpec
NetworkPolicySpec egress=3:[]NetworkPolicyEgressRule ingress=2:[]NetworkPolicyIngressRule
  podSelector=1:LabelSelector policyTypes(Ingress|Egress)=4:[]string
NetworkPolicyEgressRule ports=1:[]NetworkPolicyPort to=2:[]NetworkPolicyPeer
NetworkPolicyPort endPort=3*:int32 port=2*:intOrString protocol(|TCP|UDP|SCTP)=1*
NetworkPolicyPeer ipBlock=3*:IPBlock namespaceSelector=2*:LabelSelector podSelector=1*:LabelSelector
IPBlock cidr!=1 except=2:[]string
NetworkPolicyIngressRule from=2:[]NetworkPolicyPeer ports=1:[]NetworkPolicyPort
`,
} as const;
