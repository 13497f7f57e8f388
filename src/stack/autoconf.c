/* Addresses that are tested before use, and those that routers give: the turn of ip/dad.h and
 * ip/ra.h, and what received messages mean to them (RFC 4862, RFC 4861 6.3, RFC 5227).
 *
 * Both keep their state in the interface's tables; here their steps become frames. A link without
 * stations has neither duplicates nor routers' advertisements to wait for.
 */
#include "stack/stack.h"

#include "ip/addr.h"

#define LINK_LOCAL_BITS 64

static bool is_ethernet(const struct salut_stack *stack)
{
    return stack->config.link_kind == SALUT_LINK_ETHERNET;
}

/* RFC 4862 5.3: the address that a host needs before it can ask a router. */
static void add_link_local(struct salut_stack *stack)
{
    uint8_t addr[16] = {0xfe, 0x80};
    slt_dad_eui64(stack->config.mac, addr + 8);
    slt_auto_add(stack, addr, LINK_LOCAL_BITS);
}

void slt_auto_init(struct salut_stack *stack)
{
    struct slt_ra_setup setup = {
        .seed = slt_prng_secret_u64(&stack->chance),
        .key = {slt_prng_secret_u64(&stack->chance), slt_prng_secret_u64(&stack->chance)},
        .slaac = stack->config.slaac != 0};
    slt_dad_init(&stack->dad, slt_prng_secret_u64(&stack->chance));
    slt_ra_init(&stack->ra, &setup);
    if (stack->config.slaac && is_ethernet(stack)) {
        add_link_local(stack);
        slt_ra_start(&stack->ra, stack->now_ns);
    }
}

/* Add an address, tentative when it is to be tested; `bits` counts in 128. */
enum salut_status slt_auto_add(struct salut_stack *stack, const uint8_t addr[16], uint8_t bits)
{
    bool test = stack->config.duplicate_address_detection && is_ethernet(stack);
    enum salut_status status = slt_ip_iface_add(&stack->iface, addr, bits,
                                                test ? SLT_IP_OWN_TENTATIVE : SLT_IP_OWN_PREFERRED);
    if (status == SALUT_OK && test) {
        slt_dad_start(&stack->dad, slt_ip_iface_find(&stack->iface, addr), stack->now_ns);
    }
    return status;
}

static void test_addresses(struct salut_stack *stack)
{
    struct slt_dad_step step;
    while (slt_reply_room(stack) &&
           slt_dad_next(&stack->dad, &stack->iface, stack->now_ns, &step)) {
        if (step.kind == SLT_DAD_PROBE) {
            slt_park_ask(stack, &step.ask);
        } else if (step.kind == SLT_DAD_ANNOUNCE) {
            slt_park_answer(stack, &step.announce);
        }
    }
}

static void ask_routers(struct salut_stack *stack)
{
    uint8_t frame[SLT_REPLY_BYTES_MAX];
    uint8_t addr[16];
    const uint8_t nowhere[16] = {0};
    while (slt_reply_room(stack) && slt_ra_next_due(&stack->ra, stack->now_ns)) {
        struct slt_writer w = slt_writer_of(frame, sizeof(frame));
        const struct slt_span parts[3] = {
            {frame, slt_ra_emit_solicitation(&stack->iface, &w)}, {NULL, 0}, {NULL, 0}};
        SLT_ASSERT(parts[0].bytes > 0);
        slt_reply_parts(stack, SLT_REPLY_FRAME, parts, nowhere);
    }
    while (slt_ra_expire(&stack->iface, stack->now_ns, addr)) {
        /* Connections that use the address go on until they end (RFC 9293 3.9.1.1, MUST-45). */
    }
}

void slt_auto_turn(struct salut_stack *stack)
{
    test_addresses(stack);
    ask_routers(stack);
}

int64_t slt_auto_next(const struct salut_stack *stack)
{
    return slt_min64(slt_dad_next_deadline(&stack->iface),
                     slt_ra_next_deadline(&stack->ra, &stack->iface));
}

void slt_auto_take_arp(struct salut_stack *stack, const struct slt_arp *arp)
{
    uint8_t addr[16];
    if (slt_dad_hears_arp(&stack->iface, arp, addr)) {
        slt_dad_conflict(&stack->dad, &stack->iface, addr);
    }
}

enum slt_reason slt_auto_take_nd(struct salut_stack *stack, const struct slt_neigh_nd *in)
{
    struct slt_neigh_nd_result result;
    if (in->ndp->type == SLT_ICMP6_ROUTER_ADVERT) {
        const struct slt_ra_targets to = {&stack->iface, &stack->neigh, &stack->dad};
        if (!stack->config.slaac) {
            return SLT_DROP_ICMP_TYPE;
        }
        enum slt_reason heard = slt_ra_input(&stack->ra, &to, in);
        stack->config.mtu6 = stack->iface.mtu6; /* R4861-06: what the MSS option says, too */
        return heard;
    }
    if (in->ndp->type == SLT_ICMP6_ROUTER_SOLICIT) {
        return SLT_DROP_ICMP_TYPE; /* a host is no router */
    }
    enum slt_reason why = slt_neigh_input_nd(&stack->neigh, &stack->iface, in, &result);
    slt_park_answer(stack, &result.reply);
    if (result.duplicate) {
        slt_dad_conflict(&stack->dad, &stack->iface, result.target);
    }
    if (result.router_gone) { /* RFC 4861 7.2.5 (R4861-04) */
        slt_ra_drop_router(&stack->iface, in->packet->src);
    }
    return why;
}
