/* The one place where a status of the engine becomes an errno value of the socket calls.
 *
 * Calls that give a status another meaning (an address in use at connect() is EADDRNOTAVAIL,
 * SOCK-37) say so where they are.
 */
#include "sock/sock.h"

#include <errno.h>

static const int errno_of[SALUT_STATUS_COUNT] = {
    [SALUT_OK] = 0,
    [SALUT_WOULD_BLOCK] = EAGAIN,
    [SALUT_END] = 0,
    [SALUT_INVALID] = EINVAL,
    [SALUT_STALE] = EBADF,
    [SALUT_NO_MEMORY] = ENOBUFS,
    [SALUT_IN_PROGRESS] = EINPROGRESS,
    [SALUT_ALREADY_CONNECTED] = EISCONN,
    [SALUT_NOT_CONNECTED] = ENOTCONN,
    [SALUT_CLOSED] = EPIPE,
    [SALUT_RESET] = ECONNRESET,
    [SALUT_REFUSED] = ECONNREFUSED,
    [SALUT_TIMED_OUT] = ETIMEDOUT,
    [SALUT_HOST_UNREACHABLE] = EHOSTUNREACH,
    [SALUT_NET_UNREACHABLE] = ENETUNREACH,
    [SALUT_PROTO_UNREACHABLE] = ENOPROTOOPT,
    [SALUT_ADDRESS_IN_USE] = EADDRINUSE,
    [SALUT_ADDRESS_NOT_AVAILABLE] = EADDRNOTAVAIL,
    [SALUT_ADDRESS_INVALID] = ENETUNREACH,
    [SALUT_ABORTED] = ECONNABORTED,
    [SALUT_NOT_SUPPORTED] = EOPNOTSUPP,
    [SALUT_PENDING_OUTPUT] = EBUSY,
    [SALUT_PROTOCOL_ERROR] = EPROTO, /* SOCK-26, this one and the next */
    [SALUT_TOO_BIG] = EMSGSIZE,
    [SALUT_DENIED] = EACCES,
};

int salut_status_errno(enum salut_status status)
{
    return (unsigned)status < SALUT_STATUS_COUNT ? errno_of[status] : EINVAL;
}
