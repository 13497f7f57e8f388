/* One direction of a link: the path model of link/path.h with what a scenario adds to it (an MTU,
 * being down, room given in bandwidth-delay products) and the counting for the report.
 *
 * Bytes are those of IP packets: a link here has no framing of its own.
 */
#include "lab/scenario_world.h"

#include <stdio.h>

/* RFC 3168 5: ECT(0), ECT(1) or CE in the two low bits of the traffic class. */
#define ECN_BITS 3U
#define ECN_CE   3U

/* ---- parameters ----------------------------------------------------------------------------- */

static uint32_t room_bytes(const struct slt_scn_room *room, int64_t rate_bps, int64_t rtt_ns)
{
    int64_t bytes = 0;
    switch ((enum slt_scn_room_unit)room->unit) {
    case SLT_SCN_ROOM_BYTES:
        bytes = room->amount;
        break;
    case SLT_SCN_ROOM_BDP:
        bytes = slt_scn_bytes_in(rate_bps, rtt_ns) / 1000 * room->amount +
                slt_scn_bytes_in(rate_bps, rtt_ns) % 1000 * room->amount / 1000;
        break;
    case SLT_SCN_ROOM_TIME:
        bytes = slt_scn_bytes_in(rate_bps, room->amount);
        break;
    case SLT_SCN_ROOM_NONE:
    case SLT_SCN_ROOM_PACKETS:
        return 0;
    }
    /* Room for one packet at least: a queue of none would let nothing pass. */
    return (uint32_t)slt_max64(SCN_MTU, slt_min64(bytes, UINT32_MAX));
}

static uint32_t room_frames(const struct slt_scn_room *room)
{
    return room->unit == SLT_SCN_ROOM_PACKETS ? (uint32_t)slt_min64(room->amount, UINT32_MAX) : 0;
}

bool slt_scn_way_set(struct scn_world *w, uint32_t index, const struct slt_scn_way *say)
{
    struct scn_way *way = &w->way[index];
    struct slt_path_params params = {
        .loss_ppm = (uint32_t)say->loss_ppm,
        .duplicate_ppm = (uint32_t)say->dup_ppm,
        .reorder_ppm = (uint32_t)say->reorder_ppm,
        .reorder_for_ns = say->reorder_ns,
        .corrupt_ppm = (uint32_t)say->corrupt_ppm,
        .corrupt_where = SLT_PATH_CORRUPT_COVERED,
        .delay_ns = say->delay_ns,
        .jitter_ns = say->jitter_ns,
        .rate_bits_per_s = (uint64_t)say->rate_bps,
        .queue_frames_max = room_frames(&say->queue),
        .queue_bytes_max = room_bytes(&say->queue, say->rate_bps, way->longest_rtt_ns),
        .mark_frames = room_frames(&say->ecn),
        .mark_bytes = room_bytes(&say->ecn, say->rate_bps, way->longest_rtt_ns),
        .police_bits_per_s = (uint64_t)say->police_bps,
        .police_burst_bytes = (uint32_t)slt_min64(say->police_bytes, UINT32_MAX),
    };
    if (say->burst_ppm > 0 &&
        !slt_path_set_bursts(&params, (uint32_t)say->burst_ppm, (double)say->burst_count)) {
        (void)snprintf(w->why, SLT_SCN_SENTENCE_MAX, "bursts of %lld packets cannot lose so many",
                       (long long)say->burst_count);
        return false;
    }
    SLT_ASSERT(slt_path_valid(&params));
    way->bits_could += (double)way->say.rate_bps * (double)(w->now_ns - way->rate_since_ns) / 1e9;
    way->rate_since_ns = w->now_ns;
    way->path.params = params;
    way->say = *say;
    return true;
}

void slt_scn_way_init(struct scn_world *w, uint32_t index)
{
    struct slt_path_params none = {0};
    slt_path_init(&w->way[index].path, &none, w->options->seed, index);
}

/* ---- packets -------------------------------------------------------------------------------- */

bool slt_scn_way_fits(const struct scn_world *w, uint32_t index, const struct scn_packet *packet)
{
    int64_t mtu = w->way[index].say.mtu;
    return packet->bytes <= (mtu > 0 ? mtu : SCN_MTU);
}

/* RFC 3168 5: set CE; the header checksum follows (RFC 1624, one's complement by difference). */
static void mark(struct scn_packet *packet)
{
    uint8_t *ip = packet->data;
    uint32_t before = (uint32_t)ip[0] << 8 | ip[1];
    ip[1] |= ECN_CE;
    uint32_t after = (uint32_t)ip[0] << 8 | ip[1];
    uint32_t sum = (uint32_t)ip[10] << 8 | ip[11];
    sum = (~sum & 0xffffU) + (~before & 0xffffU) + after;
    sum = (sum & 0xffffU) + (sum >> 16);
    sum = (sum & 0xffffU) + (sum >> 16);
    ip[10] = (uint8_t)(~sum >> 8);
    ip[11] = (uint8_t)~sum;
}

static void count_drop(struct scn_way *way, enum slt_path_fate fate)
{
    static const enum slt_scn_drop drops[] = {
        [SLT_PATH_PASSES] = SLT_SCN_DROPS,
        [SLT_PATH_LOST] = SLT_SCN_DROP_LOSS,
        [SLT_PATH_POLICED] = SLT_SCN_DROP_POLICE,
        [SLT_PATH_OVERFLOWED] = SLT_SCN_DROP_QUEUE,
    };
    SLT_ASSERT(drops[fate] < SLT_SCN_DROPS);
    way->row->dropped[drops[fate]]++;
}

bool slt_scn_way_offer(struct scn_world *w, uint32_t index, struct scn_packet *packet,
                       struct slt_path_verdict *verdict)
{
    struct scn_way *way = &w->way[index];
    struct slt_path_packet offered = {
        .bytes = packet->bytes,
        .ecn_capable = (packet->data[1] & ECN_BITS) != 0,
    };
    if (way->say.down) {
        way->row->dropped[SLT_SCN_DROP_DOWN]++;
        return false;
    }
    if (!slt_scn_way_fits(w, index, packet)) {
        way->row->dropped[SLT_SCN_DROP_MTU]++;
        return false;
    }
    slt_path_offer(&way->path, w->now_ns, &offered, verdict);
    uint64_t waiting = slt_path_queue_bytes(&way->path, w->now_ns);
    way->row->queue_max = waiting > way->row->queue_max ? waiting : way->row->queue_max;
    if (verdict->fate != SLT_PATH_PASSES) {
        count_drop(way, verdict->fate);
        return false;
    }
    way->row->packets++;
    way->row->bytes += packet->bytes;
    way->row->duplicated += verdict->duplicated;
    way->row->reordered += verdict->reordered;
    if (verdict->marked) {
        way->row->marked++;
        mark(packet);
    }
    return true;
}

/* ---- looking -------------------------------------------------------------------------------- */

uint32_t slt_scn_way_look(struct scn_world *w, uint32_t index, int64_t for_ns)
{
    struct scn_way *way = &w->way[index];
    uint64_t waiting = slt_path_queue_bytes(&way->path, w->now_ns);
    way->queue_area += (double)waiting * (double)for_ns / 1e9;
    return (uint32_t)waiting;
}

void slt_scn_way_finish(struct scn_world *w, uint32_t index)
{
    struct scn_way *way = &w->way[index];
    double could = way->bits_could +
                   (double)way->say.rate_bps * (double)(w->now_ns - way->rate_since_ns) / 1e9;
    way->row->busy = could > 0 ? (double)way->row->bytes * 8 / could : -1;
    way->row->queue_mean = w->sampled_ns > 0 ? way->queue_area * 1e9 / (double)w->sampled_ns : 0;
    slt_path_deinit(&way->path);
}
