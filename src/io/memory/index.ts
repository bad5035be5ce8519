export {
  keepHeapSmall,
  mapLargeBlocks,
  releaseHeap,
  releaseProgram,
  restartSmall,
  SMALL_FLAGS,
} from './heap.ts';
