/** Field tables of v1 Node, in the notation of ../notation.ts (Kubernetes 1.36). */

export const NODE_TYPES = {
  package: 'io.k8s.api.core.v1',
  text: `
Node apiVersion kind metadata:ObjectMeta spec:NodeSpec status:NodeStatus
NodeSpec configSource:NodeConfigSource externalID podCIDR podCIDRs:[]string~* providerID taints:[]Taint
  unschedulable:bool
NodeConfigSource configMap:ConfigMapNodeConfigSource
ConfigMapNodeConfigSource kubeletConfigKey! name! namespace! resourceVersion uid
Taint effect(NoSchedule|PreferNoSchedule|NoExecute)! key! timeAdded:time value
NodeStatus addresses:[]NodeAddress~type allocatable:map:quantity capacity:map:quantity
  conditions:[]NodeCondition~type config:NodeConfigStatus daemonEndpoints:NodeDaemonEndpoints
  declaredFeatures:[]string features:NodeFeatures images:[]ContainerImage nodeInfo:NodeSystemInfo phase
  runtimeHandlers:[]NodeRuntimeHandler volumesAttached:[]AttachedVolume volumesInUse:[]string
NodeAddress address! type!
NodeCondition lastHeartbeatTime:time lastTransitionTime:time message reason status(True|False|Unknown)!
  type!
NodeConfigStatus active:NodeConfigSource assigned:NodeConfigSource error lastKnownGood:NodeConfigSource
NodeDaemonEndpoints kubeletEndpoint:DaemonEndpoint
DaemonEndpoint Port:int32
NodeFeatures supplementalGroupsPolicy:bool
ContainerImage names:[]string sizeBytes:int64
NodeSystemInfo architecture bootID containerRuntimeVersion kernelVersion kubeProxyVersion
  kubeletVersion machineID operatingSystem osImage swap:NodeSwapStatus systemUUID
NodeSwapStatus capacity:int64
NodeRuntimeHandler features:NodeRuntimeHandlerFeatures name
NodeRuntimeHandlerFeatures recursiveReadOnlyMounts:bool userNamespaces:bool
AttachedVolume devicePath name
`,
} as const;
