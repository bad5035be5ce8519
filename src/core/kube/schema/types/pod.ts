/** Field tables of v1 Pod without its volumes, in the notation of ../notation.ts (Kubernetes 1.36). */

export const POD_TYPES = {
  package: 'io.k8s.api.core.v1',
  text: `
Pod apiVersion kind metadata:ObjectMeta spec:PodSpec status:PodStatus
PodSpec activeDeadlineSeconds:int64 affinity:Affinity automountServiceAccountToken:bool
  containers!:[]Container~name dnsConfig:PodDNSConfig
  dnsPolicy(|ClusterFirst|ClusterFirstWithHostNet|Default|None) enableServiceLinks:bool
  ephemeralContainers:[]EphemeralContainer~name hostAliases:[]HostAlias~ip hostIPC:bool hostNetwork:bool
  hostPID:bool hostUsers:bool hostname hostnameOverride imagePullSecrets:[]LocalObjectReference~name
  initContainers:[]Container~name nodeName nodeSelector:map os:PodOS overhead:map:quantity preemptionPolicy
  priority:int32 priorityClassName readinessGates:[]PodReadinessGate
  resourceClaims:[]PodResourceClaim~name,retainKeys resources:ResourceRequirements
  restartPolicy(|Always|OnFailure|Never) runtimeClassName schedulerName
  schedulingGates:[]PodSchedulingGate~name schedulingGroup:PodSchedulingGroup
  securityContext:PodSecurityContext serviceAccount serviceAccountName setHostnameAsFQDN:bool
  shareProcessNamespace:bool subdomain terminationGracePeriodSeconds:int64 tolerations:[]Toleration
  topologySpreadConstraints:[]TopologySpreadConstraint~topologyKey volumes:[]Volume~name,retainKeys
Affinity nodeAffinity:NodeAffinity podAffinity:PodAffinity podAntiAffinity:PodAntiAffinity
NodeAffinity preferredDuringSchedulingIgnoredDuringExecution:[]PreferredSchedulingTerm
  requiredDuringSchedulingIgnoredDuringExecution:NodeSelector
PreferredSchedulingTerm preference!:NodeSelectorTerm weight!:int32
NodeSelectorTerm matchExpressions:[]NodeSelectorRequirement matchFields:[]NodeSelectorRequirement
NodeSelectorRequirement key! operator(In|NotIn|Exists|DoesNotExist|Gt|Lt)! values:[]string
NodeSelector nodeSelectorTerms!:[]NodeSelectorTerm
PodAffinity preferredDuringSchedulingIgnoredDuringExecution:[]WeightedPodAffinityTerm
  requiredDuringSchedulingIgnoredDuringExecution:[]PodAffinityTerm
WeightedPodAffinityTerm podAffinityTerm!:PodAffinityTerm weight!:int32
PodAffinityTerm labelSelector:LabelSelector matchLabelKeys:[]string mismatchLabelKeys:[]string
  namespaceSelector:LabelSelector namespaces:[]string topologyKey!
PodAntiAffinity preferredDuringSchedulingIgnoredDuringExecution:[]WeightedPodAffinityTerm
  requiredDuringSchedulingIgnoredDuringExecution:[]PodAffinityTerm
Container args:[]string command:[]string env:[]EnvVar~name envFrom:[]EnvFromSource image
  imagePullPolicy(|Always|IfNotPresent|Never) lifecycle:Lifecycle livenessProbe:Probe name!
  ports:[]ContainerPort~containerPort readinessProbe:Probe resizePolicy:[]ContainerResizePolicy
  resources:ResourceRequirements restartPolicy restartPolicyRules:[]ContainerRestartRule
  securityContext:SecurityContext startupProbe:Probe stdin:bool stdinOnce:bool terminationMessagePath
  terminationMessagePolicy tty:bool volumeDevices:[]VolumeDevice~devicePath
  volumeMounts:[]VolumeMount~mountPath workingDir
EnvVar name! value valueFrom:EnvVarSource
EnvVarSource configMapKeyRef:ConfigMapKeySelector fieldRef:ObjectFieldSelector fileKeyRef:FileKeySelector
  resourceFieldRef:ResourceFieldSelector secretKeyRef:SecretKeySelector
ConfigMapKeySelector key! name optional:bool
ObjectFieldSelector apiVersion fieldPath!
FileKeySelector key! optional:bool path! volumeName!
ResourceFieldSelector containerName divisor:quantity resource!
SecretKeySelector key! name optional:bool
EnvFromSource configMapRef:ConfigMapEnvSource prefix secretRef:SecretEnvSource
ConfigMapEnvSource name optional:bool
SecretEnvSource name optional:bool
Lifecycle postStart:LifecycleHandler preStop:LifecycleHandler stopSignal
LifecycleHandler exec:ExecAction httpGet:HTTPGetAction sleep:SleepAction tcpSocket:TCPSocketAction
ExecAction command:[]string
HTTPGetAction host httpHeaders:[]HTTPHeader path port!:intOrString scheme
HTTPHeader name! value!
SleepAction seconds!:int64
TCPSocketAction host port!:intOrString
Probe exec:ExecAction failureThreshold:int32 grpc:GRPCAction httpGet:HTTPGetAction initialDelaySeconds:int32
  periodSeconds:int32 successThreshold:int32 tcpSocket:TCPSocketAction terminationGracePeriodSeconds:int64
  timeoutSeconds:int32
GRPCAction port!:int32 service
ContainerPort containerPort!:int32 hostIP hostPort:int32 name protocol(|TCP|UDP|SCTP)
ContainerResizePolicy resourceName! restartPolicy!
ResourceRequirements claims:[]ResourceClaim limits:map:quantity requests:map:quantity
ResourceClaim name! request
ContainerRestartRule action! exitCodes:ContainerRestartRuleOnExitCodes
ContainerRestartRuleOnExitCodes operator! values:[]int32
SecurityContext allowPrivilegeEscalation:bool appArmorProfile:AppArmorProfile capabilities:Capabilities
  privileged:bool procMount readOnlyRootFilesystem:bool runAsGroup:int64 runAsNonRoot:bool runAsUser:int64
  seLinuxOptions:SELinuxOptions seccompProfile:SeccompProfile windowsOptions:WindowsSecurityContextOptions
AppArmorProfile localhostProfile type!
Capabilities add:[]string drop:[]string
SELinuxOptions level role type user
SeccompProfile localhostProfile type!
WindowsSecurityContextOptions gmsaCredentialSpec gmsaCredentialSpecName hostProcess:bool runAsUserName
VolumeDevice devicePath! name!
VolumeMount mountPath! mountPropagation name! readOnly:bool recursiveReadOnly subPath subPathExpr
PodDNSConfig nameservers:[]string options:[]PodDNSConfigOption searches:[]string
PodDNSConfigOption name value
EphemeralContainer ...Container targetContainerName
HostAlias hostnames:[]string ip!
LocalObjectReference name
PodOS name!
PodReadinessGate conditionType!
PodResourceClaim name! resourceClaimName resourceClaimTemplateName
PodSchedulingGate name!
PodSchedulingGroup podGroupName
PodSecurityContext appArmorProfile:AppArmorProfile fsGroup:int64 fsGroupChangePolicy runAsGroup:int64
  runAsNonRoot:bool runAsUser:int64 seLinuxChangePolicy seLinuxOptions:SELinuxOptions
  seccompProfile:SeccompProfile supplementalGroups:[]int64 supplementalGroupsPolicy sysctls:[]Sysctl
  windowsOptions:WindowsSecurityContextOptions
Sysctl name! value!
Toleration effect(|NoSchedule|PreferNoSchedule|NoExecute) key operator(|Exists|Equal|Lt|Gt)
  tolerationSeconds:int64 value
TopologySpreadConstraint labelSelector:LabelSelector matchLabelKeys:[]string maxSkew!:int32 minDomains:int32
  nodeAffinityPolicy nodeTaintsPolicy topologyKey! whenUnsatisfiable!
PodStatus allocatedResources:map:quantity conditions:[]PodCondition~type containerStatuses:[]ContainerStatus
  ephemeralContainerStatuses:[]ContainerStatus extendedResourceClaimStatus:PodExtendedResourceClaimStatus
  hostIP hostIPs:[]HostIP~ip initContainerStatuses:[]ContainerStatus message
  nodeAllocatableResourceClaimStatuses:[]NodeAllocatableResourceClaimStatus nominatedNodeName
  observedGeneration:int64 phase(|Pending|Running|Succeeded|Failed|Unknown) podIP podIPs:[]PodIP~ip qosClass
  reason resize resourceClaimStatuses:[]PodResourceClaimStatus~name,retainKeys
  resources:ResourceRequirements startTime:time
PodCondition lastProbeTime:time lastTransitionTime:time message observedGeneration:int64 reason
  status(True|False|Unknown)! type!
ContainerStatus allocatedResources:map:quantity allocatedResourcesStatus:[]ResourceStatus containerID image
  imageID lastState:ContainerState name ready:bool resources:ResourceRequirements restartCount:int32
  started:bool state:ContainerState stopSignal user:ContainerUser volumeMounts:[]VolumeMountStatus
ResourceStatus name resources:[]ResourceHealth
ResourceHealth health message resourceID
ContainerState running:ContainerStateRunning terminated:ContainerStateTerminated
  waiting:ContainerStateWaiting
ContainerStateRunning startedAt:time
ContainerStateTerminated containerID exitCode:int32 finishedAt:time message reason signal:int32
  startedAt:time
ContainerStateWaiting message reason
ContainerUser linux:LinuxContainerUser
LinuxContainerUser gid:int64 supplementalGroups:[]int64 uid:int64
VolumeMountStatus mountPath name readOnly:bool recursiveReadOnly volumeStatus:VolumeStatus
VolumeStatus image:ImageVolumeStatus
ImageVolumeStatus imageRef
PodExtendedResourceClaimStatus requestMappings:[]ContainerExtendedResourceRequest resourceClaimName
ContainerExtendedResourceRequest containerName requestName resourceName
HostIP ip!
NodeAllocatableResourceClaimStatus containers:[]string resourceClaimName resources:map
PodIP ip!
PodResourceClaimStatus name! resourceClaimName
`,
} as const;
