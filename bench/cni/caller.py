"""
A runtime in small: for each pod named on standard input it runs the plugins of a chain as processes, each with the result of the one
before, and prints how long ADD or DEL of the whole chain took. Python, since starting a process costs it less than it costs Node.

Arguments: the command (ADD or DEL), the folder of the plugins, and the chain's configurations as JSON. A line of standard input is
CONTAINER NETNS RUNTIMECONFIG; a line of standard output is CONTAINER MICROSECONDS RESULT.
"""
import json
import os
import subprocess
import sys
import time

command, folder, chain = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
base = {key: value for key, value in os.environ.items() if key.startswith('POPLIN_') or key == 'PATH'}
results = {}


def run(config, environment, prev, runtime_config):
    request = dict(config)
    if prev is not None:
        request['prevResult'] = prev
    if config.get('capabilities'):
        del request['capabilities']
        request['runtimeConfig'] = runtime_config
    done = subprocess.run(
        [os.path.join(folder, config['type'])],
        input=json.dumps(request).encode(),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        close_fds=False,
    )
    if done.returncode != 0:
        sys.exit(f"{config['type']} {command} {environment['CNI_CONTAINERID']}: {done.stdout.decode()}")
    return json.loads(done.stdout) if done.stdout else None


for line in sys.stdin:
    container, netns, runtime_config, *given = line.rstrip('\n').split('\t')
    environment = dict(
        base,
        CNI_COMMAND=command,
        CNI_CONTAINERID=container,
        CNI_NETNS=netns,
        CNI_IFNAME='eth0',
        CNI_PATH=folder,
    )
    result = json.loads(given[0]) if given else None
    started = time.perf_counter()
    for config in chain if command == 'ADD' else reversed(chain):
        found = run(config, environment, result, json.loads(runtime_config))
        if command == 'ADD':
            result = found
    us = (time.perf_counter() - started) * 1e6
    print(f'{container}\t{us:.0f}\t{json.dumps(result)}', flush=True)
