/* The detour: what a station sends to itself comes back, marked; everything else passes. */
#include "link/detour.h"

#include "link/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define FRAME_BYTES 60

struct world {
    struct slt_link *inner;
    struct slt_link *far;
    struct slt_link *detour;
};

static int open_world(struct world *w, enum salut_link_kind kind)
{
    struct slt_memory_params params = {.kind = kind, .mtu = 1500};
    assert_int_equal(slt_memory_pair(&params, &w->inner, &w->far), SALUT_OK);
    assert_int_equal(slt_detour_open(w->inner, &w->detour), SALUT_OK);
    return 0;
}

static void close_world(struct world *w)
{
    slt_link_close(w->detour); /* the inner one is still the caller's */
    slt_link_close(w->inner);
    slt_link_close(w->far);
}

static struct salut_tx_frame frame_to(const uint8_t mac[6], uint8_t mark)
{
    struct salut_tx_frame frame;
    memset(&frame, 0, sizeof(frame));
    memcpy(frame.header, mac, 6);
    frame.header[12] = 0x88;
    frame.header[13] = 0xb5;
    frame.header[14] = mark;
    frame.header_bytes = FRAME_BYTES;
    return frame;
}

static void brings_own_frames_back(void **state)
{
    static const uint8_t other[6] = {0x02, 9, 9, 9, 9, 9};
    struct world w;
    struct salut_rx_frame got[8];
    (void)state;
    (void)open_world(&w, SALUT_LINK_ETHERNET);
    struct salut_tx_frame frames[4];
    frames[0] = frame_to(other, 1);
    frames[1] = frame_to(w.detour->caps.mac, 2);
    frames[2] = frame_to(w.detour->caps.mac, 3);
    frames[3] = frame_to(other, 4);
    assert_int_equal(slt_link_send(w.detour, frames, 4, 0), 4);
    assert_int_equal(slt_link_next_deadline(w.detour), SLT_LINK_AT_ONCE);
    assert_int_equal(slt_link_receive(w.far, got, 8, 0), 2);
    assert_int_equal(got[0].data[14], 1);
    assert_int_equal(got[1].data[14], 4);
    slt_link_release(w.far);
    frames[0] = frame_to(w.detour->caps.mac, 5);
    assert_int_equal(slt_link_send(w.far, frames, 1, 0), 1);
    assert_int_equal(slt_link_receive(w.detour, got, 8, 0), 3);
    assert_int_equal(got[0].data[14], 2);
    assert_int_equal(got[0].own, 1);
    assert_int_equal(got[1].own, 1);
    assert_int_equal(got[2].data[14], 5);
    assert_int_equal(got[2].own, 0); /* whatever is written on it, it came from outside */
    slt_link_release(w.detour);
    assert_int_equal(slt_link_receive(w.detour, got, 8, 0), 0);
    close_world(&w);
}

static void knows_packets_to_their_sender(void **state)
{
    struct world w;
    struct salut_rx_frame got[4];
    struct salut_tx_frame frame;
    (void)state;
    (void)open_world(&w, SALUT_LINK_IP);
    memset(&frame, 0, sizeof(frame));
    frame.header[0] = 0x45;
    frame.header[3] = FRAME_BYTES;
    memcpy(&frame.header[12], "\x0a\x00\x00\x01\x0a\x00\x00\x01", 8);
    frame.header_bytes = FRAME_BYTES;
    frame.family = 4;
    assert_int_equal(slt_link_send(w.detour, &frame, 1, 0), 1);
    frame.header[19] = 2;
    assert_int_equal(slt_link_send(w.detour, &frame, 1, 0), 1);
    assert_int_equal(slt_link_receive(w.detour, got, 4, 0), 1);
    assert_int_equal(got[0].own, 1);
    slt_link_release(w.detour);
    assert_int_equal(slt_link_receive(w.far, got, 4, 0), 1);
    assert_int_equal(got[0].data[19], 2);
    slt_link_release(w.far);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(brings_own_frames_back),
        cmocka_unit_test(knows_packets_to_their_sender),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
