/** Field tables of v1 Pod without its volumes, in the notation of ../notation.ts (Kubernetes 1.36). */

export const POD_TYPES = {
  package: 'io.k8s.api.core.v1',
  text: `
Pod apiVersion kind metadata=1:ObjectMeta spec=2:PodSpec status=3:PodStatus
PodSpec activeDeadlineSeconds=5*:int64 affinity=18*:Affinity automountServiceAccountToken=21*:bool
  containers!=2:[]Container~name dnsConfig=26*:PodDNSConfig
  dnsPolicy(|ClusterFirst|ClusterFirstWithHostNet|Default|None)=6 enableServiceLinks=30*:bool
  ephemeralContainers=34:[]EphemeralContainer~name hostAliases=23:[]HostAlias~ip hostIPC=13:bool
  hostNetwork=11:bool hostPID=12:bool hostUsers=37*:bool hostname=16 hostnameOverride=41*
  imagePullSecrets=15:[]LocalObjectReference~name initContainers=20:[]Container~name nodeName=10
  nodeSelector=7:map os=36*:PodOS overhead=32:map:quantity preemptionPolicy=31* priority=25*:int32
  priorityClassName=24 readinessGates=28:[]PodReadinessGate
  resourceClaims=39:[]PodResourceClaim~name,retainKeys resources=40*:ResourceRequirements
  restartPolicy(|Always|OnFailure|Never)=3 runtimeClassName=29* schedulerName=19
  schedulingGates=38:[]PodSchedulingGate~name schedulingGroup=43*:PodSchedulingGroup
  securityContext=14*:PodSecurityContext serviceAccount=9 serviceAccountName=8 setHostnameAsFQDN=35*:bool
  shareProcessNamespace=27*:bool subdomain=17 terminationGracePeriodSeconds=4*:int64
  tolerations=22:[]Toleration topologySpreadConstraints=33:[]TopologySpreadConstraint~topologyKey
  volumes=1:[]Volume~name,retainKeys
Affinity nodeAffinity=1*:NodeAffinity podAffinity=2*:PodAffinity podAntiAffinity=3*:PodAntiAffinity
NodeAffinity preferredDuringSchedulingIgnoredDuringExecution=2:[]PreferredSchedulingTerm
  requiredDuringSchedulingIgnoredDuringExecution=1*:NodeSelector
PreferredSchedulingTerm preference!=2:NodeSelectorTerm weight!=1:int32
NodeSelectorTerm matchExpressions=1:[]NodeSelectorRequirement matchFields=2:[]NodeSelectorRequirement
NodeSelectorRequirement key!=1 operator(In|NotIn|Exists|DoesNotExist|Gt|Lt)!=2 values=3:[]string
NodeSelector nodeSelectorTerms!=1:[]NodeSelectorTerm
PodAffinity preferredDuringSchedulingIgnoredDuringExecution=2:[]WeightedPodAffinityTerm
  requiredDuringSchedulingIgnoredDuringExecution=1:[]PodAffinityTerm
WeightedPodAffinityTerm podAffinityTerm!=2:PodAffinityTerm weight!=1:int32
PodAffinityTerm labelSelector=1*:LabelSelector matchLabelKeys=5:[]string mismatchLabelKeys=6:[]string
  namespaceSelector=4*:LabelSelector namespaces=2:[]string topologyKey!=3
PodAntiAffinity preferredDuringSchedulingIgnoredDuringExecution=2:[]WeightedPodAffinityTerm
  requiredDuringSchedulingIgnoredDuringExecution=1:[]PodAffinityTerm
Container args=4:[]string command=3:[]string env=7:[]EnvVar~name envFrom=19:[]EnvFromSource image=2
  imagePullPolicy(|Always|IfNotPresent|Never)=14 lifecycle=12*:Lifecycle livenessProbe=10*:Probe name!=1
  ports=6:[]ContainerPort~containerPort readinessProbe=11*:Probe resizePolicy=23:[]ContainerResizePolicy
  resources=8:ResourceRequirements restartPolicy=24* restartPolicyRules=25:[]ContainerRestartRule
  securityContext=15*:SecurityContext startupProbe=22*:Probe stdin=16:bool stdinOnce=17:bool
  terminationMessagePath=13 terminationMessagePolicy=20 tty=18:bool
  volumeDevices=21:[]VolumeDevice~devicePath volumeMounts=9:[]VolumeMount~mountPath workingDir=5
EnvVar name!=1 value=2 valueFrom=3*:EnvVarSource
EnvVarSource configMapKeyRef=3*:ConfigMapKeySelector fieldRef=1*:ObjectFieldSelector
  fileKeyRef=5*:FileKeySelector resourceFieldRef=2*:ResourceFieldSelector secretKeyRef=4*:SecretKeySelector
ConfigMapKeySelector key!=2 name=1.1 optional=3*:bool
ObjectFieldSelector apiVersion=1 fieldPath!=2
FileKeySelector key!=3 optional=4*:bool path!=2 volumeName!=1
ResourceFieldSelector containerName=1 divisor=3:quantity resource!=2
SecretKeySelector key!=2 name=1.1 optional=3*:bool
EnvFromSource configMapRef=2*:ConfigMapEnvSource prefix=1 secretRef=3*:SecretEnvSource
ConfigMapEnvSource name=1.1 optional=2*:bool
SecretEnvSource name=1.1 optional=2*:bool
Lifecycle postStart=1*:LifecycleHandler preStop=2*:LifecycleHandler stopSignal=3*
LifecycleHandler exec=1*:ExecAction httpGet=2*:HTTPGetAction sleep=4*:SleepAction
  tcpSocket=3*:TCPSocketAction
ExecAction command=1:[]string
HTTPGetAction host=3 httpHeaders=5:[]HTTPHeader path=1 port!=2:intOrString scheme=4
HTTPHeader name!=1 value!=2
SleepAction seconds!=1:int64
TCPSocketAction host=2 port!=1:intOrString
Probe exec=1.1*:ExecAction failureThreshold=6:int32 grpc=1.4*:GRPCAction httpGet=1.2*:HTTPGetAction
  initialDelaySeconds=2:int32 periodSeconds=4:int32 successThreshold=5:int32 tcpSocket=1.3*:TCPSocketAction
  terminationGracePeriodSeconds=7*:int64 timeoutSeconds=3:int32
GRPCAction port!=1:int32 service=2*
ContainerPort containerPort!=3:int32 hostIP=5 hostPort=2:int32 name=1 protocol(|TCP|UDP|SCTP)=4
ContainerResizePolicy resourceName!=1 restartPolicy!=2
ResourceRequirements claims=3:[]ResourceClaim limits=1:map:quantity requests=2:map:quantity
ResourceClaim name!=1 request=2
ContainerRestartRule action!=1 exitCodes=2*:ContainerRestartRuleOnExitCodes
ContainerRestartRuleOnExitCodes operator!=1 values=2:[]int32
SecurityContext allowPrivilegeEscalation=7*:bool appArmorProfile=12*:AppArmorProfile
  capabilities=1*:Capabilities privileged=2*:bool procMount=9* readOnlyRootFilesystem=6*:bool
  runAsGroup=8*:int64 runAsNonRoot=5*:bool runAsUser=4*:int64 seLinuxOptions=3*:SELinuxOptions
  seccompProfile=11*:SeccompProfile windowsOptions=10*:WindowsSecurityContextOptions
AppArmorProfile localhostProfile=2* type!=1
Capabilities add=1:[]string drop=2:[]string
SELinuxOptions level=4 role=2 type=3 user=1
SeccompProfile localhostProfile=2* type!=1
WindowsSecurityContextOptions gmsaCredentialSpec=2* gmsaCredentialSpecName=1* hostProcess=4*:bool
  runAsUserName=3*
VolumeDevice devicePath!=2 name!=1
VolumeMount mountPath!=3 mountPropagation=5* name!=1 readOnly=2:bool recursiveReadOnly=7* subPath=4
  subPathExpr=6
PodDNSConfig nameservers=1:[]string options=3:[]PodDNSConfigOption searches=2:[]string
PodDNSConfigOption name=1 value=2*
EphemeralContainer ...Container=1 targetContainerName=2
HostAlias hostnames=2:[]string ip!=1
LocalObjectReference name=1
PodOS name!=1
PodReadinessGate conditionType!=1
PodResourceClaim name!=1 resourceClaimName=3* resourceClaimTemplateName=4*
PodSchedulingGate name!=1
PodSchedulingGroup podGroupName=1*
PodSecurityContext appArmorProfile=11*:AppArmorProfile fsGroup=5*:int64 fsGroupChangePolicy=9*
  runAsGroup=6*:int64 runAsNonRoot=3*:bool runAsUser=2*:int64 seLinuxChangePolicy=13*
  seLinuxOptions=1*:SELinuxOptions seccompProfile=10*:SeccompProfile supplementalGroups=4:[]int64
  supplementalGroupsPolicy=12* sysctls=7:[]Sysctl windowsOptions=8*:WindowsSecurityContextOptions
Sysctl name!=1 value!=2
Toleration effect(|NoSchedule|PreferNoSchedule|NoExecute)=4 key=1 operator(|Exists|Equal|Lt|Gt)=2
  tolerationSeconds=5*:int64 value=3
TopologySpreadConstraint labelSelector=4*:LabelSelector matchLabelKeys=8:[]string maxSkew!=1:int32
  minDomains=5*:int32 nodeAffinityPolicy=6* nodeTaintsPolicy=7* topologyKey!=2 whenUnsatisfiable!=3
PodStatus allocatedResources=19:map:quantity conditions=2:[]PodCondition~type
  containerStatuses=8:[]ContainerStatus ephemeralContainerStatuses=13:[]ContainerStatus
  extendedResourceClaimStatus=18*:PodExtendedResourceClaimStatus hostIP=5 hostIPs=16:[]HostIP~ip
  initContainerStatuses=10:[]ContainerStatus message=3
  nodeAllocatableResourceClaimStatuses=21:[]NodeAllocatableResourceClaimStatus nominatedNodeName=11
  observedGeneration=17:int64 phase(|Pending|Running|Succeeded|Failed|Unknown)=1 podIP=6
  podIPs=12:[]PodIP~ip qosClass=9 reason=4 resize=14
  resourceClaimStatuses=15:[]PodResourceClaimStatus~name,retainKeys resources=20*:ResourceRequirements
  startTime=7*:time
PodCondition lastProbeTime=3:time lastTransitionTime=4:time message=6 observedGeneration=7:int64 reason=5
  status(True|False|Unknown)!=2 type!=1
ContainerStatus allocatedResources=10:map:quantity allocatedResourcesStatus=14:[]ResourceStatus
  containerID=8 image=6 imageID=7 lastState=3:ContainerState name=1 ready=4:bool
  resources=11*:ResourceRequirements restartCount=5:int32 started=9*:bool state=2:ContainerState
  stopSignal=15* user=13*:ContainerUser volumeMounts=12:[]VolumeMountStatus
ResourceStatus name=1 resources=2:[]ResourceHealth
ResourceHealth health=2 message=6* resourceID=1
ContainerState running=2*:ContainerStateRunning terminated=3*:ContainerStateTerminated
  waiting=1*:ContainerStateWaiting
ContainerStateRunning startedAt=1:time
ContainerStateTerminated containerID=7 exitCode=1:int32 finishedAt=6:time message=4 reason=3 signal=2:int32
  startedAt=5:time
ContainerStateWaiting message=2 reason=1
ContainerUser linux=1*:LinuxContainerUser
LinuxContainerUser gid=2:int64 supplementalGroups=3:[]int64 uid=1:int64
VolumeMountStatus mountPath=2 name=1 readOnly=3:bool recursiveReadOnly=4* volumeStatus=5*:VolumeStatus
VolumeStatus image=1*:ImageVolumeStatus
ImageVolumeStatus imageRef=1
PodExtendedResourceClaimStatus requestMappings=1:[]ContainerExtendedResourceRequest resourceClaimName=2
ContainerExtendedResourceRequest containerName=1 requestName=3 resourceName=2
HostIP ip!=1
NodeAllocatableResourceClaimStatus containers=2:[]string resourceClaimName=1 resources:map
PodIP ip!=1
PodResourceClaimStatus name!=1 resourceClaimName=2*
`,
} as const;
