export { keepHeapSmall, releaseHeap } from './heap.ts';
