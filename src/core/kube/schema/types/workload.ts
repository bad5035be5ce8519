/** Field tables of DaemonSet, of the objects of RBAC and of PriorityClass, in the notation of ../notation.ts (Kubernetes 1.36). */

export const POD_TEMPLATE_TYPES = {
  package: 'io.k8s.api.core.v1',
  text: `
PodTemplateSpec metadata=1:ObjectMeta spec=2:PodSpec
`,
} as const;

export const DAEMON_SET_TYPES = {
  package: 'io.k8s.api.apps.v1',
  text: `
DaemonSet apiVersion kind metadata=1:ObjectMeta spec=2:DaemonSetSpec status=3:DaemonSetStatus
DaemonSetSpec minReadySeconds=4:int32 revisionHistoryLimit=6*:int32 selector!=1*:LabelSelector
  template!=2:PodTemplateSpec updateStrategy=3:DaemonSetUpdateStrategy
DaemonSetUpdateStrategy rollingUpdate=2*:RollingUpdateDaemonSet type(|RollingUpdate|OnDelete)=1
RollingUpdateDaemonSet maxSurge=2*:intOrString maxUnavailable=1*:intOrString
DaemonSetStatus collisionCount=9*:int32 conditions=10:[]DaemonSetCondition~type
  currentNumberScheduled=1:int32 desiredNumberScheduled=3:int32 numberAvailable=7:int32
  numberMisscheduled=2:int32 numberReady=4:int32 numberUnavailable=8:int32 observedGeneration=5:int64
  updatedNumberScheduled=6:int32
DaemonSetCondition lastTransitionTime=3:time message=5 reason=4 status!=2 type!=1
`,
} as const;

export const RBAC_TYPES = {
  package: 'io.k8s.api.rbac.v1',
  text: `
PolicyRule apiGroups=2:[]string nonResourceURLs=5:[]string resourceNames=4:[]string resources=3:[]string
  verbs!=1:[]string
Role apiVersion kind metadata=1:ObjectMeta rules=2:[]PolicyRule
ClusterRole aggregationRule=3*:AggregationRule apiVersion kind metadata=1:ObjectMeta rules=2:[]PolicyRule
AggregationRule clusterRoleSelectors=1:[]LabelSelector
RoleBinding apiVersion kind metadata=1:ObjectMeta roleRef!=3:RoleRef subjects=2:[]Subject
ClusterRoleBinding apiVersion kind metadata=1:ObjectMeta roleRef!=3:RoleRef subjects=2:[]Subject
RoleRef apiGroup=1 kind(Role|ClusterRole)!=2 name!=3
Subject apiGroup=2 kind(ServiceAccount|User|Group)!=1 name!=3 namespace=4
`,
} as const;

export const PRIORITY_CLASS_TYPES = {
  package: 'io.k8s.api.scheduling.v1',
  text: `
PriorityClass apiVersion description=4 globalDefault=3:bool kind metadata=1:ObjectMeta
  preemptionPolicy(Never|PreemptLowerPriority)=5* value!=2:int32
`,
} as const;
