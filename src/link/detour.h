/* The detour decorator: what a stack sends to an address of its own comes back to it.
 *
 * An Ethernet does not bring a station its own frames back, and two programs on one stack want to
 * talk to each other by its address. Frames to the station's own address (on a link without
 * stations: packets from an address to the same) go into a loopback of this link's, and come back
 * marked (salut_rx_frame.own), so that the stack takes its own addresses as a source from here and
 * from nowhere else. All others pass as they are. The stack has to be told: config own_traffic.
 */
#ifndef SLT_LINK_DETOUR_H
#define SLT_LINK_DETOUR_H

#include "link/link.h"

/* Put it around a link, which stays the caller's: closing the detour does not close it.
 *
 * Returns SALUT_OK, SALUT_NO_MEMORY. */
enum salut_status slt_detour_open(struct slt_link *inner_borrowed, struct slt_link **link);

#endif
