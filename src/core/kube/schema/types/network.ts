/** Field tables of Service, EndpointSlice and NetworkPolicy, in the notation of ../notation.ts (Kubernetes 1.36). */

export const SERVICE_TYPES = {
  package: 'io.k8s.api.core.v1',
  text: `
Service apiVersion kind metadata:ObjectMeta spec:ServiceSpec status:ServiceStatus
ServiceSpec allocateLoadBalancerNodePorts:bool clusterIP clusterIPs:[]string externalIPs:[]string
  externalName externalTrafficPolicy(|Cluster|Local) healthCheckNodePort:int32
  internalTrafficPolicy(|Cluster|Local) ipFamilies(IPv4|IPv6):[]string
  ipFamilyPolicy(|SingleStack|PreferDualStack|RequireDualStack) loadBalancerClass loadBalancerIP
  loadBalancerSourceRanges:[]string ports:[]ServicePort~port publishNotReadyAddresses:bool selector:map
  sessionAffinity(|ClientIP|None) sessionAffinityConfig:SessionAffinityConfig trafficDistribution
  type(|ClusterIP|NodePort|LoadBalancer|ExternalName)
ServicePort appProtocol name nodePort:int32 port!:int32 protocol(|TCP|UDP|SCTP) targetPort:intOrString
SessionAffinityConfig clientIP:ClientIPConfig
ClientIPConfig timeoutSeconds:int32
ServiceStatus conditions:[]Condition~type loadBalancer:LoadBalancerStatus
LoadBalancerStatus ingress:[]LoadBalancerIngress
LoadBalancerIngress hostname ip ipMode ports:[]PortStatus
PortStatus error port!:int32 protocol!
`,
} as const;

export const ENDPOINT_SLICE_TYPES = {
  package: 'io.k8s.api.discovery.v1',
  text: `
EndpointSlice addressType(IPv4|IPv6|FQDN)! apiVersion endpoints:[]Endpoint kind metadata:ObjectMeta
  ports:[]EndpointPort
Endpoint addresses!:[]string conditions:EndpointConditions deprecatedTopology:map hints:EndpointHints
  hostname nodeName targetRef:ObjectReference zone
EndpointConditions ready:bool serving:bool terminating:bool
EndpointHints forNodes:[]ForNode forZones:[]ForZone
ForNode name!
ForZone name!
EndpointPort appProtocol name port:int32 protocol(|TCP|UDP|SCTP)
`,
} as const;

export const NETWORK_POLICY_TYPES = {
  package: 'io.k8s.api.networking.v1',
  text: `
NetworkPolicy apiVersion kind metadata:ObjectMeta spec:NetworkPolicySpec
NetworkPolicySpec egress:[]NetworkPolicyEgressRule ingress:[]NetworkPolicyIngressRule
  podSelector:LabelSelector policyTypes(Ingress|Egress):[]string
NetworkPolicyEgressRule ports:[]NetworkPolicyPort to:[]NetworkPolicyPeer
NetworkPolicyPort endPort:int32 port:intOrString protocol(|TCP|UDP|SCTP)
NetworkPolicyPeer ipBlock:IPBlock namespaceSelector:LabelSelector podSelector:LabelSelector
IPBlock cidr! except:[]string
NetworkPolicyIngressRule from:[]NetworkPolicyPeer ports:[]NetworkPolicyPort
`,
} as const;
