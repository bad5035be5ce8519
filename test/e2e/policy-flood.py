"""Datagrams of both families: `send ADDRESS...` from the first moment that it can, `count` prints how many came, whenever there are more."""
import select, socket, sys

PORT = 9999

def sockets():
    for family in (socket.AF_INET, socket.AF_INET6):
        yield family, socket.socket(family, socket.SOCK_DGRAM)

if sys.argv[1] == 'count':
    bound = []
    for family, each in sockets():
        if family == socket.AF_INET6:
            each.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        each.bind(('::' if family == socket.AF_INET6 else '0.0.0.0', PORT))
        each.setblocking(False)
        bound.append(each)
    count = 0
    print(count, flush=True)
    while True:
        for each in select.select(bound, [], [])[0]:
            each.recv(64)
            count += 1
        print(count, flush=True)
else:
    ends = dict(sockets())
    for each in ends.values():
        each.setblocking(False)
    print('ready', flush=True)
    while True:
        for address in sys.argv[2:]:
            family = socket.AF_INET6 if ':' in address else socket.AF_INET
            try:
                ends[family].sendto(b'x', (address, PORT))
            except OSError:
                pass
