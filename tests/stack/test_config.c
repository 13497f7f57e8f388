/* Profiles, validation, the memory plan, and allocators that say no. */
#include "world.h"

static void profiles_have_their_numbers(void **state)
{
    (void)state;
    struct salut_config linux_profile;
    struct salut_config rfc;
    salut_config_init(&linux_profile, SALUT_PROFILE_LINUX);
    salut_config_init(&rfc, SALUT_PROFILE_RFC);
    assert_int_equal(linux_profile.msl_ns, 30 * SLT_NS_PER_S); /* D-01 */
    assert_int_equal(rfc.msl_ns, 120 * SLT_NS_PER_S);
    assert_int_equal(linux_profile.time_wait_rst_kills, 0); /* D-02 */
    assert_int_equal(rfc.time_wait_rst_kills, 0);
    assert_int_equal(linux_profile.reset_on_timeout, 0); /* D-07 */
    assert_int_equal(rfc.reset_on_timeout, 1);
    assert_int_equal(linux_profile.fin_wait_2_ns, 60 * SLT_NS_PER_S); /* D-08 */
    assert_int_equal(rfc.fin_wait_2_ns, 0);
    assert_int_equal(linux_profile.retries2, 15); /* D-10 */
    assert_int_equal(rfc.user_timeout_ns, 300 * SLT_NS_PER_S);
    assert_int_equal(linux_profile.syn_retries, 6); /* D-11 */
    assert_int_equal(rfc.syn_retries, 7);
    assert_int_equal(linux_profile.rto_min_ns, 200 * SLT_NS_PER_MS); /* D-12 */
    assert_int_equal(rfc.rto_min_ns, SLT_NS_PER_S);
    assert_int_equal(linux_profile.syn_fin_processed, 0); /* D-14 */
    assert_int_equal(rfc.syn_fin_processed, 1);
    assert_int_equal(linux_profile.old_syn_time_wait_dropped, 0); /* D-21 */
    assert_int_equal(rfc.old_syn_time_wait_dropped, 1);
    assert_int_equal(linux_profile.probe_with_data, 0); /* D-24 */
    assert_int_equal(rfc.probe_with_data, 1);
    assert_int_equal(linux_profile.initial_window_segments, 10); /* D-25 */
    assert_int_equal(rfc.initial_window_segments, 10);
    assert_int_equal(linux_profile.bbr_loss_percent, 2); /* BBR-05 */
    assert_int_equal(rfc.bbr_loss_percent, 2);
    assert_int_equal(linux_profile.soft_icmp_aborts_syn, 1); /* D-26 */
    assert_int_equal(rfc.soft_icmp_aborts_syn, 0);
    assert_int_equal(rfc.port_low, 1024); /* R6056-01 */
    assert_int_equal(linux_profile.port_low, 32768);
}

static void expect_refused(const struct salut_config *config)
{
    struct salut_stack *stack = (struct salut_stack *)(uintptr_t)1;
    assert_int_equal(salut_create(config, &stack), SALUT_INVALID);
    assert_null(stack);
}

static void impossible_configurations_are_refused(void **state)
{
    (void)state;
    struct salut_config good;
    struct salut_config bad;
    world_config(&good, SALUT_PROFILE_LINUX, 0);
    salut_destroy(world_create(&good));
#define REFUSED(field, value)                                                                      \
    bad = good;                                                                                    \
    bad.field = (value);                                                                           \
    expect_refused(&bad);
    REFUSED(struct_bytes, 8)
    REFUSED(profile, 2)
    REFUSED(bbr_loss_percent, 0)
    REFUSED(bbr_loss_percent, 21)
    REFUSED(alloc, NULL)
    REFUSED(free, NULL)
    REFUSED(conns_max, 0)
    REFUSED(conns_max, UINT32_MAX)
    REFUSED(buffer_bytes, 2)
    REFUSED(buffer_bytes, 1U << 20)
    REFUSED(neighbours_max, 65536)
    REFUSED(event_ring, 3)
    REFUSED(mtu, 60)
    bad = good; /* a full segment would not fit in a frame's pieces */
    bad.buffer_bytes = 64;
    bad.mtu = 9000;
    expect_refused(&bad);
    REFUSED(ttl, 0)
    REFUSED(port_low, 0)
    REFUSED(port_high, 5)
    REFUSED(link_kind, 7)
    REFUSED(mac[0], 1)
    REFUSED(delayed_ack_ns, 500 * SLT_NS_PER_MS) /* MUST-40 */
    REFUSED(rto_min_ns, 0)
    REFUSED(msl_ns, 0)
    REFUSED(msl_ns, 3600 * SLT_NS_PER_S)
    REFUSED(window_scale, 15)
    REFUSED(send_buffer_bytes, 0)
    REFUSED(recv_buffer_bytes, UINT32_MAX)
    REFUSED(syn_ack_retries, 200)
    REFUSED(timers_per_turn, 0)
    REFUSED(syn_cookies, 3)
    REFUSED(overflow, 2)
#undef REFUSED
}

static void the_block_is_just_large_enough(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {1, 2, 7, 100, 1000};
    for (size_t i = 0; i < SLT_ARRAY_COUNT(sizes); i++) {
        for (int kind = 0; kind < 2; kind++) {
            struct salut_config config;
            struct salut_stack *stack;
            world_config(&config, SALUT_PROFILE_LINUX, 0);
            config.link_kind = kind ? SALUT_LINK_IP : SALUT_LINK_ETHERNET;
            config.conns_max = sizes[i];
            config.half_open_max = sizes[i] / 2;
            config.time_wait_max = sizes[i] * 2;
            config.listeners_max = 1 + sizes[i] / 3;
            config.buffers_max = sizes[i] * 3;
            config.fragments_max = sizes[i] % 5;
            config.event_ring = kind ? 0 : 128;
            size_t bytes = salut_block_bytes(&config);
            assert_true(bytes > 0);
            uint8_t *block = malloc(bytes + 63);
            config.memory = block + (i * 13) % 64;
            config.memory_bytes = bytes;
            assert_int_equal(salut_create(&config, &stack), SALUT_OK);
            assert_null(salut_check(stack));
            /* Nothing of the plan is air, but for what aligning the block may have cost. */
            assert_true(stack->mem.block_used + 64 >= bytes);
            assert_true(salut_snapshot_bytes(stack) < bytes);
            salut_destroy(stack);
            config.memory_bytes = bytes - 192;
            assert_int_equal(salut_create(&config, &stack), SALUT_NO_MEMORY);
            free(block);
        }
    }
}

struct stingy {
    unsigned left;
    unsigned held;
};

static void *stingy_alloc(void *ctx, size_t bytes)
{
    struct stingy *stingy = ctx;
    if (stingy->left == 0) {
        return NULL;
    }
    stingy->left--;
    stingy->held++;
    return malloc(bytes);
}

static void stingy_free(void *ctx, void *ptr, size_t bytes)
{
    struct stingy *stingy = ctx;
    (void)bytes;
    stingy->held--;
    free(ptr);
}

static void creation_survives_every_failed_allocation(void **state)
{
    (void)state;
    struct salut_config config;
    struct salut_stack *stack = NULL;
    struct stingy stingy;
    world_config(&config, SALUT_PROFILE_LINUX, 0);
    config.alloc = stingy_alloc;
    config.free = stingy_free;
    config.alloc_ctx = &stingy;
    for (unsigned allowed = 0; !stack; allowed++) {
        assert_true(allowed < 100);
        stingy = (struct stingy){.left = allowed};
        enum salut_status status = salut_create(&config, &stack);
        assert_true(status == SALUT_OK || status == SALUT_NO_MEMORY);
        if (status == SALUT_NO_MEMORY) {
            assert_null(stack);
            assert_int_equal(stingy.held, 0);
        }
    }
    salut_destroy(stack);
    assert_int_equal(stingy.held, 0);
}

static void names_are_never_missing(void **state)
{
    (void)state;
    assert_string_equal(salut_state_name(SALUT_STATE_SYN_RECEIVED), "SYN_RECV");
    assert_string_equal(salut_state_name((enum salut_state)99), "UNKNOWN");
    for (unsigned i = 0; i < SALUT_STATUS_COUNT; i++) {
        assert_non_null(salut_status_text((enum salut_status)i));
    }
    for (unsigned i = 0; i < salut_reason_count(); i++) {
        assert_non_null(salut_reason_token(i));
        assert_non_null(salut_reason_sentence(i));
    }
    for (unsigned i = 0; i < salut_owner_count(); i++) {
        assert_non_null(salut_owner_text(i));
    }
    assert_non_null(salut_version());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(profiles_have_their_numbers),
        cmocka_unit_test(impossible_configurations_are_refused),
        cmocka_unit_test(the_block_is_just_large_enough),
        cmocka_unit_test(creation_survives_every_failed_allocation),
        cmocka_unit_test(names_are_never_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
