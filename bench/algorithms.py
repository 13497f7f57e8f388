"""Which congestion control the kernel's sockets may use in network namespaces.

A namespace takes only what the initial one allows to all (net.ipv4.tcp_allowed_congestion_control),
so that is asked for once, before the namespaces are made. Who may not write it is told later, by
whoever needs the algorithm.
"""
ALLOWED = "/proc/sys/net/ipv4/tcp_allowed_congestion_control"


def allow(name):
    """Add `name` to what is allowed, as far as this process may; it stays allowed."""
    try:
        with open(ALLOWED, encoding="ascii") as file:
            allowed = file.read().split()
        if name not in allowed:
            with open(ALLOWED, "w", encoding="ascii") as file:
                file.write(" ".join(allowed + [name]))
    except OSError:  # not the initial namespace, not root, or no such algorithm
        pass
