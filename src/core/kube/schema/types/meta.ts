/** Field tables of the metadata every object carries, in the notation of ../notation.ts (Kubernetes 1.36). */

export const META_TYPES = {
  package: 'io.k8s.apimachinery.pkg.apis.meta.v1',
  text: `
ObjectMeta annotations=12:map creationTimestamp=8:time deletionGracePeriodSeconds=10*:int64
  deletionTimestamp=9*:time finalizers=14:[]string~* generateName=2 generation=7:int64 labels=11:map
  managedFields=17:any name=1 namespace=3 ownerReferences=13:[]OwnerReference~uid resourceVersion=6
  selfLink=4 uid=5
OwnerReference apiVersion!=5 blockOwnerDeletion=7*:bool controller=6*:bool kind!=1 name!=3 uid!=4
LabelSelector matchExpressions=2:[]LabelSelectorRequirement matchLabels=1:map
LabelSelectorRequirement key!=1 operator(In|NotIn|Exists|DoesNotExist)!=2 values=3:[]string
DeleteOptions apiVersion kind dryRun=5:[]string gracePeriodSeconds=1*:int64 orphanDependents=3*:bool
  preconditions=2*:Preconditions propagationPolicy=4*
Preconditions resourceVersion=2* uid=1*
Condition lastTransitionTime!=4:time message!=6 observedGeneration=3:int64 reason!=5 status!=2 type!=1
`,
} as const;
