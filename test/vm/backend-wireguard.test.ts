/** WireGuard, which other kernels lack, through the life of a node: the situations of the other backends (test/e2e/backend-matrix.test.ts). */
import { IS_SOAK } from '#testing/soak.ts';
import { cellsOf } from '../backends/cell.ts';
import { describeCells } from '../backends/matrix.ts';
import { WIREGUARD, WIREGUARD_AUTO } from '../backends/rows.ts';

describeCells([
  ...cellsOf([WIREGUARD], { first: 'etcd' }),
  ...(IS_SOAK ? cellsOf([WIREGUARD_AUTO], { soakFamilies: ['dual stack'] }) : []),
]);
