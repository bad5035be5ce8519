export { keepHeapSmall, releaseHeap, releaseProgram, restartSmall, SMALL_FLAGS } from './heap.ts';
