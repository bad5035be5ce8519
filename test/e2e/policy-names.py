"""
A pod that asks for names and connects to what they stand for, all in the first moment after the answer. Prints one JSON value.
  ask SERVER NAME              addresses that a server says, of both families
  reach SERVER NAME PORT MS    the same, and then for each address after how many ms of trying anew a connection came about; null: not in time
  open PORT ADDRESS...         which of these addresses a connection comes about with
  send FROM-PORT ADDRESS PORT HEX   one datagram, asked for or not
"""
import concurrent.futures, errno, json, select, socket, struct, sys, time

def family_of(address):
    return socket.AF_INET6 if ':' in address else socket.AF_INET

def name_at(data, at):
    labels, behind = [], None
    while data[at]:
        if data[at] >= 0xC0:
            behind = behind or at + 2
            at = (data[at] & 0x3F) << 8 | data[at + 1]
        else:
            labels.append(data[at + 1 : at + 1 + data[at]])
            at += 1 + data[at]
    return behind or at + 1

def ask(server, name, kind):
    labels = b''.join(bytes([len(each)]) + each.encode() for each in name.split('.'))
    query = struct.pack('>6H', 7, 0x100, 1, 0, 0, 0) + labels + struct.pack('>BHH', 0, kind, 1)
    with socket.socket(family_of(server), socket.SOCK_DGRAM) as each:
        each.settimeout(3)
        each.connect((server, 53))
        each.send(query)
        data = each.recv(65535)
    answered = time.perf_counter()
    at, found = name_at(data, 12) + 4, []
    for _ in range(struct.unpack_from('>H', data, 6)[0]):
        at = name_at(data, at)
        of, _, _, length = struct.unpack_from('>HHIH', data, at)
        at += 10
        if of == kind:
            found.append(socket.inet_ntop(socket.AF_INET if kind == 1 else socket.AF_INET6, data[at : at + length]))
        at += length
    return answered, found

def connects(address, port, seconds):
    with socket.socket(family_of(address), socket.SOCK_STREAM) as each:
        each.setblocking(False)
        if each.connect_ex((address, port)) not in (0, errno.EINPROGRESS):
            return False
        ready = select.select([], [each], [], seconds)[1]
        return bool(ready) and each.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0

def reach(answered, address, port, ms):
    while (time.perf_counter() - answered) * 1000 < ms:
        if connects(address, port, 0.002):
            return round((time.perf_counter() - answered) * 1000, 2)
    return None

command, *args = sys.argv[1:]
if command == 'send':
    with socket.socket(family_of(args[1]), socket.SOCK_DGRAM) as each:
        each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        each.bind(('', int(args[0])))
        each.sendto(bytes.fromhex(args[3]), (args[1], int(args[2])))
    result = None
elif command == 'open':
    port, addresses = int(args[0]), args[1:]
    with concurrent.futures.ThreadPoolExecutor(len(addresses)) as pool:
        found = list(pool.map(lambda address: connects(address, port, 0.5), addresses))
    result = [address for address, is_open in zip(addresses, found) if is_open]
elif command == 'ask':
    result = [address for kind in (1, 28) for address in ask(args[0], args[1], kind)[1]]
else:
    result = {}
    for kind in (1, 28):
        answered, found = ask(args[0], args[1], kind)
        for address in found:
            result[address] = reach(answered, address, int(args[2]), int(args[3]))
print(json.dumps(result))
