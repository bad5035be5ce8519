/** Field tables of the metadata every object carries, in the notation of ../notation.ts (Kubernetes 1.36). */

export const META_TYPES = {
  package: 'io.k8s.apimachinery.pkg.apis.meta.v1',
  text: `
ObjectMeta annotations:map creationTimestamp:time deletionGracePeriodSeconds:int64 deletionTimestamp:time
  finalizers:[]string~* generateName generation:int64 labels:map managedFields:any name namespace
  ownerReferences:[]OwnerReference~uid resourceVersion selfLink uid
OwnerReference apiVersion! blockOwnerDeletion:bool controller:bool kind! name! uid!
LabelSelector matchExpressions:[]LabelSelectorRequirement matchLabels:map
LabelSelectorRequirement key! operator(In|NotIn|Exists|DoesNotExist)! values:[]string
Condition lastTransitionTime!:time message! observedGeneration:int64 reason! status! type!
`,
} as const;
