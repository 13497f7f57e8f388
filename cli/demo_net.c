/* The private network of salut demo (design: TAP where /dev/net/tun can be opened, else a virtual
 * Ethernet pair and a packet socket, else memory).
 */
#include "cli/demo.h"

#include "link/memory.h"
#include "link/netns_linux.h"
#include "link/rtnl_linux.h"
#include "sock/link_open.h"

#define MTU       1500U
#define BITS4     24U
#define BITS6     64U
#define TAP_NAME  "salut0"
#define VETH_OURS "salut1"

const char slt_demo_ours4[] = "10.77.0.2";
const char slt_demo_ours6[] = "fd77::2";
const char slt_demo_peer4[] = "10.77.0.1";
const char slt_demo_peer6[] = "fd77::1";

static salut_addr address(const char *text)
{
    salut_addr addr = {.zone = 0};
    (void)salut_addr_parse(text, &addr);
    return addr;
}

/* Give the kernel's end of a TAP its addresses, and bring it up. */
static enum slt_link_trouble set_up_tap(struct slt_link_error *error)
{
    salut_addr v4 = address(slt_demo_peer4);
    salut_addr v6 = address(slt_demo_peer6);
    enum slt_link_trouble trouble = slt_rtnl_add_address(TAP_NAME, &v4, BITS4, error);
    if (trouble == SLT_LINK_FINE) {
        trouble = slt_rtnl_add_address(TAP_NAME, &v6, BITS6, error);
    }
    return trouble == SLT_LINK_FINE ? slt_rtnl_set_up(TAP_NAME, true, error) : trouble;
}

static enum slt_link_trouble open_tap(struct slt_demo *demo, struct slt_link_error *error)
{
    struct slt_link_plan plan = {.device = SALUT_DEVICE_TAP,
                                 .name = TAP_NAME,
                                 .mtu = MTU,
                                 .sink = slt_story_sink(demo->story)};
    enum slt_link_trouble trouble = slt_link_open_plan(&plan, &demo->link, NULL, error);
    if (trouble != SLT_LINK_FINE) {
        return trouble;
    }
    trouble = set_up_tap(error);
    if (trouble != SLT_LINK_FINE) {
        slt_link_close(demo->link);
        demo->link = NULL;
    }
    return trouble;
}

static enum slt_link_trouble open_veth(struct slt_demo *demo, struct slt_link_error *error)
{
    struct slt_netns_pair pair = {.kernel_name = TAP_NAME,
                                  .stack_name = VETH_OURS,
                                  .mtu = MTU,
                                  .kernel_v4 = address(slt_demo_peer4),
                                  .v4_prefix_bits = BITS4,
                                  .kernel_v6 = address(slt_demo_peer6),
                                  .v6_prefix_bits = BITS6};
    struct slt_link_plan plan = {
        .device = SALUT_DEVICE_PACKET, .name = VETH_OURS, .sink = slt_story_sink(demo->story)};
    enum slt_link_trouble trouble = slt_netns_make_pair(&pair, error);
    return trouble == SLT_LINK_FINE ? slt_link_open_plan(&plan, &demo->link, NULL, error) : trouble;
}

static void say_why_not(const char *what, const struct slt_link_error *error)
{
    bool helps = error->remedy[0] != '\0';
    (void)printf("no %s: %s%s%s%s\n", what, error->sentence, helps ? " (" : "", error->remedy,
                 helps ? ")" : "");
}

bool slt_demo_open_device(struct slt_demo *demo)
{
    struct slt_link_error error;
    if (demo->wanted != SLT_DEMO_VETH) {
        if (open_tap(demo, &error) == SLT_LINK_FINE) {
            demo->device = SLT_DEMO_TAP;
            (void)printf("device: TAP %s, in a private network of this program's own\n", TAP_NAME);
            return true;
        }
        say_why_not("TAP", &error);
    }
    if (demo->wanted != SLT_DEMO_TAP) {
        if (open_veth(demo, &error) == SLT_LINK_FINE) {
            demo->device = SLT_DEMO_VETH;
            (void)printf("device: packet socket on one end of a virtual Ethernet pair, in a "
                         "private network of this program's own\n");
            return true;
        }
        say_why_not("virtual Ethernet pair", &error);
    }
    return false;
}

bool slt_demo_open_memory(struct slt_demo *demo)
{
    struct slt_memory_params params = {.kind = SALUT_LINK_ETHERNET, .mtu = MTU, .offload = true};
    struct slt_link *ours = NULL;
    demo->device = SLT_DEMO_MEMORY;
    (void)printf("device: none. This shows the same between two stacks in memory; the peer is "
                 "salut, too, and no kernel takes part.\n");
    return slt_memory_pair(&params, &ours, &demo->peer_link) == SALUT_OK &&
           slt_tee_open(ours, slt_story_sink(demo->story), &demo->link) == SALUT_OK;
}
