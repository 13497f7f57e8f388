/* Names for people: states as netstat writes them, a sentence for each status, the reason table
 * and the owners of memory, through the public interface.
 */
#include "salut/salut.h"

#include "base/compiler.h"
#include "base/mem.h"
#include "base/reason.h"

static const char *const state_names[SALUT_STATE_COUNT] = {
    [SALUT_STATE_CLOSED] = "CLOSED",           [SALUT_STATE_LISTEN] = "LISTEN",
    [SALUT_STATE_SYN_SENT] = "SYN_SENT",       [SALUT_STATE_SYN_RECEIVED] = "SYN_RECV",
    [SALUT_STATE_ESTABLISHED] = "ESTABLISHED", [SALUT_STATE_FIN_WAIT_1] = "FIN_WAIT_1",
    [SALUT_STATE_FIN_WAIT_2] = "FIN_WAIT_2",   [SALUT_STATE_CLOSE_WAIT] = "CLOSE_WAIT",
    [SALUT_STATE_CLOSING] = "CLOSING",         [SALUT_STATE_LAST_ACK] = "LAST_ACK",
    [SALUT_STATE_TIME_WAIT] = "TIME_WAIT",
};

static const char *const status_texts[SALUT_STATUS_COUNT] = {
    [SALUT_OK] = "success",
    [SALUT_WOULD_BLOCK] = "nothing to be done now",
    [SALUT_END] = "end of stream: the peer has closed its side",
    [SALUT_INVALID] = "an argument is outside its domain",
    [SALUT_STALE] = "the handle's object is gone",
    [SALUT_NO_MEMORY] = "a limit or the memory is used up",
    [SALUT_IN_PROGRESS] = "the connection is still being opened",
    [SALUT_ALREADY_CONNECTED] = "the connection exists already",
    [SALUT_NOT_CONNECTED] = "there is no connection",
    [SALUT_CLOSED] = "the sending side was closed",
    [SALUT_RESET] = "the peer reset the connection",
    [SALUT_REFUSED] = "the peer refused the connection",
    [SALUT_TIMED_OUT] = "the peer did not answer in time",
    [SALUT_HOST_UNREACHABLE] = "the host is unreachable",
    [SALUT_NET_UNREACHABLE] = "the network is unreachable",
    [SALUT_PROTO_UNREACHABLE] = "the peer does not speak the protocol",
    [SALUT_ADDRESS_IN_USE] = "address and port are in use",
    [SALUT_ADDRESS_NOT_AVAILABLE] = "the local address or a free port is not to be had",
    [SALUT_ADDRESS_INVALID] = "no connection can be made to such an address",
    [SALUT_ABORTED] = "the connection was aborted by a call",
    [SALUT_NOT_SUPPORTED] = "the call has no meaning here",
    [SALUT_PENDING_OUTPUT] = "the last batch of output was not answered",
    [SALUT_PROTOCOL_ERROR] = "a router or the peer found a packet malformed",
    [SALUT_TOO_BIG] = "too big for the path, or for a datagram",
    [SALUT_DENIED] = "an administrator prohibits it",
};

const char *salut_state_name(enum salut_state state)
{
    return (unsigned)state < SALUT_STATE_COUNT ? state_names[state] : "UNKNOWN";
}

const char *salut_status_text(enum salut_status status)
{
    return (unsigned)status < SALUT_STATUS_COUNT ? status_texts[status] : "unknown status";
}

unsigned salut_reason_count(void)
{
    return SLT_REASON_COUNT;
}

const char *salut_reason_token(unsigned reason)
{
    return slt_reason_token((enum slt_reason)reason);
}

const char *salut_reason_sentence(unsigned reason)
{
    return slt_reason_sentence((enum slt_reason)reason);
}

unsigned salut_owner_count(void)
{
    return SLT_OWNER_COUNT;
}

const char *salut_owner_text(unsigned owner)
{
    return slt_owner_name((enum slt_owner)owner);
}

const char *salut_version(void)
{
    return SALUT_VERSION_STRING;
}
