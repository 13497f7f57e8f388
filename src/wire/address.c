/* Addresses: family, scope and the written form (RFC 4291, RFC 5952). */
#include "wire/address.h"

bool slt_address_is_unspecified(const uint8_t address[16])
{
    uint32_t any = 0;
    for (uint32_t i = 12; i < 16; i++) {
        any |= address[i];
    }
    if (slt_address_is_v4(address)) {
        return any == 0;
    }
    for (uint32_t i = 0; i < 12; i++) {
        any |= address[i];
    }
    return any == 0;
}

bool slt_address_is_multicast(const uint8_t address[16])
{
    if (slt_address_is_v4(address)) {
        return (address[12] & 0xf0U) == 0xe0U;
    }
    return address[0] == 0xff;
}

bool slt_address_is_link_local(const uint8_t address[16])
{
    if (slt_address_is_v4(address)) {
        return address[12] == 169 && address[13] == 254;
    }
    return address[0] == 0xfe && (address[1] & 0xc0U) == 0x80U;
}

void slt_address_solicited_node(const uint8_t target[16], uint8_t out[16])
{
    static const uint8_t prefix[13] = {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0xff};
    const uint8_t low[3] = {target[13], target[14], target[15]};
    memcpy(out, prefix, sizeof(prefix));
    memcpy(out + 13, low, sizeof(low));
}

static uint32_t group_at(const uint8_t address[16], uint32_t index)
{
    return (uint32_t)address[2 * index] << 8 | address[2 * index + 1];
}

/* RFC 5952 4.2: the longest run of at least two zero groups is shortened, the first one on a tie.
 */
static void find_zero_run(const uint8_t address[16], uint32_t *first, uint32_t *count)
{
    uint32_t run = 0;
    *first = 8;
    *count = 1;
    for (uint32_t i = 0; i < 8; i++) {
        run = group_at(address, i) == 0 ? run + 1 : 0;
        if (run > *count) {
            *count = run;
            *first = i + 1 - run;
        }
    }
}

static void print_v4(struct slt_text *text, const uint8_t v4[4])
{
    for (uint32_t i = 0; i < 4; i++) {
        if (i > 0) {
            slt_text_char(text, '.');
        }
        slt_text_u64(text, v4[i]);
    }
}

void slt_address_text(struct slt_text *text, const uint8_t address[16])
{
    if (slt_address_is_v4(address)) {
        print_v4(text, address + 12);
        return;
    }
    uint32_t first;
    uint32_t count;
    find_zero_run(address, &first, &count);
    for (uint32_t i = 0; i < 8; i++) {
        if (i == first) {
            slt_text_str(text, "::");
            i += count - 1;
            continue;
        }
        if (i > 0 && i != first + count) {
            slt_text_char(text, ':');
        }
        slt_text_hex(text, group_at(address, i), 1);
    }
}

void slt_mac_of_multicast(const uint8_t address[16], uint8_t out[6])
{
    if (slt_address_is_v4(address)) {
        /* RFC 1112 6.4: 23 bits of the group follow the fixed prefix. */
        out[0] = 0x01;
        out[1] = 0x00;
        out[2] = 0x5e;
        out[3] = address[13] & 0x7fU;
        out[4] = address[14];
        out[5] = address[15];
        return;
    }
    out[0] = 0x33;
    out[1] = 0x33;
    memcpy(out + 2, address + 12, 4);
}

void slt_mac_text(struct slt_text *text, const uint8_t mac[6])
{
    for (uint32_t i = 0; i < 6; i++) {
        if (i > 0) {
            slt_text_char(text, ':');
        }
        slt_text_hex(text, mac[i], 2);
    }
}
