export { keepHeapSmall, releaseHeap, restartSmall } from './heap.ts';
