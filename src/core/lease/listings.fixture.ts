/** Two configurations of the field as they are printed in articles and specifications, for tests of every reader. */

/** flannel's net-conf.json with the keys that choose subnets and backend. */
export const LISTING_1 = `{
    "Network": "10.0.0.0/8",
    "SubnetLen": 20,
    "SubnetMin": "10.10.0.0",
    "SubnetMax": "10.99.0.0",
    "Backend": {
        "Type": "udp",
        "Port": 7890
    }
}
`;

/** A CNI network configuration with the comments of the specification's example: not JSON, yet printed as such. */
export const LISTING_2 = `{
    "cniVersion": "0.3.1",
    "name": "dbnet",
    "type": "bridge",
    // type (plugin) specific
    "bridge": "cni0",
    "ipam": {
        "type": "host-local",
        // ipam specific
        "subnet": "10.1.0.0/16",
        "gateway": "10.1.0.1"
    },
    "dns": {
        "nameservers": [ "10.1.0.1" ]
    }
}
`;
