/* The interface's addresses and routes through the public calls, and addresses as text.
 *
 * An address of the loopback net makes the link a loopback: what it brings then comes from
 * ourselves, so that our own and loopback sources are right on it, and nowhere else.
 */
#include "stack/stack.h"

#include "ip/addr.h"

#define IPV6_MTU_MIN 1280 /* RFC 8200 5 */

enum loopback_bit { LOOPBACK_V4 = 1, LOOPBACK_V6 = 2 };

static bool prefix_fits(const uint8_t addr[16], unsigned prefix_bits)
{
    return prefix_bits <= (slt_address_is_v4(addr) ? 32U : 128U);
}

static uint8_t loopback_bit(const uint8_t addr[16])
{
    return slt_address_is_v4(addr) ? LOOPBACK_V4 : LOOPBACK_V6;
}

enum salut_status salut_add_address(struct salut_stack *stack, const salut_addr *addr,
                                    unsigned prefix_bits)
{
    bool v4 = slt_address_is_v4(addr->b);
    if (!prefix_fits(addr->b, prefix_bits) || (!v4 && stack->config.mtu < IPV6_MTU_MIN)) {
        return SALUT_INVALID;
    }
    if (slt_ip_addr_is_loopback(addr->b)) {
        uint8_t bit = loopback_bit(addr->b);
        if (stack->loopback & bit) {
            return SALUT_ADDRESS_IN_USE;
        }
        stack->loopback |= bit;
        return SALUT_OK;
    }
    enum salut_status status =
        slt_auto_add(stack, addr->b, slt_ip_prefix_bits(addr->b, (uint8_t)prefix_bits));
    return status == SALUT_ADDRESS_INVALID ? SALUT_INVALID : status;
}

enum salut_status salut_remove_address(struct salut_stack *stack, const salut_addr *addr)
{
    if (slt_ip_addr_is_loopback(addr->b)) {
        uint8_t bit = loopback_bit(addr->b);
        if ((stack->loopback & bit) == 0) {
            return SALUT_ADDRESS_NOT_AVAILABLE;
        }
        stack->loopback &= (uint8_t)~bit;
        return SALUT_OK;
    }
    return slt_ip_iface_remove(&stack->iface, addr->b);
}

enum salut_status salut_add_route(struct salut_stack *stack, const salut_addr *dest,
                                  unsigned prefix_bits, const salut_addr *gateway)
{
    uint8_t prefix[16];
    bool gateway_v4 = slt_address_is_v4(gateway->b);
    bool any_gateway = slt_address_is_unspecified(gateway->b);
    slt_ip_addr_copy(prefix, dest->b);
    /* "Everything" written as :: goes the family's way of its gateway. */
    if (prefix_bits == 0 && slt_address_is_unspecified(prefix) && gateway_v4) {
        const uint8_t any[4] = {0};
        slt_address_set_v4(prefix, any);
    }
    if (!prefix_fits(prefix, prefix_bits) ||
        (!any_gateway && gateway_v4 != slt_address_is_v4(prefix))) {
        return SALUT_INVALID;
    }
    return slt_ip_route_add(&stack->iface, prefix, slt_ip_prefix_bits(prefix, (uint8_t)prefix_bits),
                            gateway->b, 0);
}

enum salut_status salut_addr_parse(const char *text, salut_addr *addr)
{
    salut_addr parsed = {.zone = 0};
    if (!slt_ip_addr_parse(text, parsed.b)) {
        return SALUT_INVALID;
    }
    *addr = parsed;
    return SALUT_OK;
}

int salut_addr_print(const salut_addr *addr, char *out, size_t size)
{
    return (int)slt_ip_addr_print(addr->b, out, size);
}
