"""What of IP passes a link, one JSON object a line: addresses and TTL of the outermost header, and of the one within VXLAN or IP in IP."""
import json, socket, sys

ETH_P_ALL = 3
VXLAN_PORTS = {4789, 8472}
ETHERNET = {0x0800: 4, 0x86DD: 6}

def header(data):
    """Version, source, destination, TTL, protocol and what follows; of IPv6 without extension headers."""
    version = data[0] >> 4
    if version == 4:
        text = lambda at: socket.inet_ntop(socket.AF_INET, data[at:at + 4])
        return text(12), text(16), data[8], data[9], data[(data[0] & 15) * 4:]
    text = lambda at: socket.inet_ntop(socket.AF_INET6, data[at:at + 16])
    return text(8), text(24), data[7], data[6], data[40:]

def told(data):
    source, destination, ttl, protocol, rest = header(data)
    packet = {'from': source, 'to': destination, 'ttl': ttl}
    if protocol == 17 and int.from_bytes(rest[2:4], 'big') in VXLAN_PORTS:
        packet['vxlan'] = int.from_bytes(rest[12:15], 'big')
        frame = rest[16:]
        if int.from_bytes(frame[12:14], 'big') in ETHERNET:
            packet['inner'] = told(frame[14:])
    elif protocol in (4, 41):
        packet['inner'] = told(rest)
    return packet

link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUFFORCE if hasattr(socket, 'SO_RCVBUFFORCE') else 33, 16 << 20)
link.bind((sys.argv[1], 0))
print('{}', flush=True)
while True:
    frame = link.recv(65535)
    if int.from_bytes(frame[12:14], 'big') in ETHERNET:
        print(json.dumps(told(frame[14:])), flush=True)
