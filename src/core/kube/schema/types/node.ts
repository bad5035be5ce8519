/** Field tables of v1 Node, in the notation of ../notation.ts (Kubernetes 1.36). */

export const NODE_TYPES = {
  package: 'io.k8s.api.core.v1',
  text: `
Node apiVersion kind metadata=1:ObjectMeta spec=2:NodeSpec status=3:NodeStatus
NodeSpec configSource=6*:NodeConfigSource externalID=2 podCIDR=1 podCIDRs=7:[]string~* providerID=3
  taints=5:[]Taint unschedulable=4:bool
NodeConfigSource configMap=2*:ConfigMapNodeConfigSource
ConfigMapNodeConfigSource kubeletConfigKey!=5 name!=2 namespace!=1 resourceVersion=4 uid=3
Taint effect(NoSchedule|PreferNoSchedule|NoExecute)!=3 key!=1 timeAdded=4*:time value=2
NodeStatus addresses=5:[]NodeAddress~type allocatable=2:map:quantity capacity=1:map:quantity
  conditions=4:[]NodeCondition~type config=11*:NodeConfigStatus daemonEndpoints=6:NodeDaemonEndpoints
  declaredFeatures=14:[]string features=13*:NodeFeatures images=8:[]ContainerImage nodeInfo=7:NodeSystemInfo
  phase=3 runtimeHandlers=12:[]NodeRuntimeHandler volumesAttached=10:[]AttachedVolume
  volumesInUse=9:[]string
NodeAddress address!=2 type!=1
NodeCondition lastHeartbeatTime=3:time lastTransitionTime=4:time message=6 reason=5
  status(True|False|Unknown)!=2 type!=1
NodeConfigStatus active=2*:NodeConfigSource assigned=1*:NodeConfigSource error=4
  lastKnownGood=3*:NodeConfigSource
NodeDaemonEndpoints kubeletEndpoint=1:DaemonEndpoint
DaemonEndpoint Port=1:int32
NodeFeatures supplementalGroupsPolicy=1*:bool
ContainerImage names=1:[]string sizeBytes=2:int64
NodeSystemInfo architecture=10 bootID=3 containerRuntimeVersion=6 kernelVersion=4 kubeProxyVersion=8
  kubeletVersion=7 machineID=1 operatingSystem=9 osImage=5 swap=11*:NodeSwapStatus systemUUID=2
NodeSwapStatus capacity=1*:int64
NodeRuntimeHandler features=2*:NodeRuntimeHandlerFeatures name=1
NodeRuntimeHandlerFeatures recursiveReadOnlyMounts=1*:bool userNamespaces=2*:bool
AttachedVolume devicePath=2 name=1
`,
} as const;
