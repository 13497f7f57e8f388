/* Stories for test_explain_truth: every way to open, close and reset, and every loss at each.
 *
 * Times are for a round trip of at most 80 ms; losses name the frame by side, flags and count.
 */
#ifndef SLT_TESTS_EXPLAIN_STORIES_H
#define SLT_TESTS_EXPLAIN_STORIES_H

#include "explain_world.h"

#define S SLT_TCP_SYN
#define A SLT_TCP_ACK
#define F SLT_TCP_FIN
#define R SLT_TCP_RST

#define OPEN                                                                                       \
    {0, SERVER, DO_LISTEN, 0},                                                                     \
    {                                                                                              \
        0, CLIENT, DO_CONNECT, 0                                                                   \
    }
/* A request and its answer. */
#define TALK                                                                                       \
    {200, CLIENT, DO_SEND, 100},                                                                   \
    {                                                                                              \
        300, SERVER, DO_SEND, 3000                                                                 \
    }
#define CLIENT_FIRST                                                                               \
    {500, CLIENT, DO_SHUTDOWN, 0},                                                                 \
    {                                                                                              \
        700, SERVER, DO_CLOSE, 0                                                                   \
    }
#define CLIENT_LATER                                                                               \
    {2500, CLIENT, DO_SHUTDOWN, 0},                                                                \
    {                                                                                              \
        2700, SERVER, DO_CLOSE, 0                                                                  \
    }
#define SERVER_FIRST                                                                               \
    {500, SERVER, DO_SHUTDOWN, 0},                                                                 \
    {                                                                                              \
        700, CLIENT, DO_CLOSE, 0                                                                   \
    }
/* The other end's program closes as soon as the FIN is there. */
#define MERGED                                                                                     \
    {500, CLIENT, DO_SHUTDOWN, 0},                                                                 \
    {                                                                                              \
        501, SERVER, DO_SHUTDOWN, 0                                                                \
    }
#define FIRST_SYN                                                                                  \
    {                                                                                              \
        .side = CLIENT, .with = S, .nth = 1                                                        \
    }

static const struct story stories[] = {
    {"set-up", "plain", {OPEN, TALK, CLIENT_FIRST}, {{0}}},
    {"set-up", "no data", {OPEN, CLIENT_FIRST}, {{0}}},
    {"set-up", "nothing but the handshake", {OPEN}, {{0}}},
    {"set-up", "refused", {{0, CLIENT, DO_CONNECT, 0}}, {{0}}},
    {"set-up", "the server speaks first", {OPEN, {200, SERVER, DO_SEND, 500}}, {{0}}},
    {"set-up",
     "simultaneous open",
     {{0, CLIENT, DO_CONNECT, 0}, {0, SERVER, DO_CONNECT_BACK, 0}, TALK, CLIENT_FIRST},
     {{0}}},
    {"set-up, loss", "SYN lost", {OPEN, CLIENT_LATER}, {FIRST_SYN}},
    {"set-up, loss",
     "SYN lost behind the capture",
     {OPEN, CLIENT_LATER},
     {{.side = CLIENT, .with = S, .nth = 1, .late = true}}},
    {"set-up, loss",
     "two SYNs lost",
     {OPEN},
     {FIRST_SYN, {.side = CLIENT, .with = S, .nth = 2, .late = true}}},
    {"set-up, loss", "SYN,ACK lost", {OPEN, CLIENT_LATER}, {{.side = SERVER, .with = S, .nth = 1}}},
    {"set-up, loss",
     "SYN,ACK lost behind the capture",
     {OPEN, CLIENT_LATER},
     {{.side = SERVER, .with = S, .nth = 1, .late = true}}},
    {"set-up, loss",
     "third segment lost, nothing follows",
     {OPEN},
     {{.side = CLIENT, .with = A, .without = S, .nth = 1, .late = true}}},
    {"set-up, loss",
     "third segment lost early, nothing follows",
     {OPEN},
     {{.side = CLIENT, .with = A, .without = S, .nth = 1}}},
    {"set-up, loss",
     "third segment lost, data follows",
     {OPEN, TALK, CLIENT_FIRST},
     {{.side = CLIENT, .with = A, .without = S, .nth = 1}}},
    {"close, client first", "answered later", {OPEN, TALK, CLIENT_FIRST}, {{0}}},
    {"close, client first",
     "half closed, data flows",
     {OPEN,
      {200, CLIENT, DO_SHUTDOWN, 0},
      {400, SERVER, DO_SEND, 5000},
      {600, CLIENT, DO_READ, 0},
      {700, SERVER, DO_SHUTDOWN, 0}},
     {{0}}},
    {"close, client first",
     "data with the FIN",
     {OPEN,
      {200, CLIENT, DO_SEND, 2000},
      {200, CLIENT, DO_SHUTDOWN, 0},
      {600, SERVER, DO_CLOSE, 0}},
     {{0}}},
    {"close, client first",
     "the server never closes",
     {OPEN, TALK, {500, CLIENT, DO_SHUTDOWN, 0}},
     {{0}}},
    {"close, client first",
     "FIN answered by FIN",
     {OPEN, {100, SERVER, DO_ANSWER_FIN, 0}, TALK, {500, CLIENT, DO_SHUTDOWN, 0}},
     {{0}}},
    {"close, server first",
     "FIN answered by FIN",
     {OPEN, {100, CLIENT, DO_ANSWER_FIN, 0}, {500, SERVER, DO_SHUTDOWN, 0}},
     {{0}}},
    {"close, loss",
     "FIN answered by FIN that is lost",
     {OPEN, {100, SERVER, DO_ANSWER_FIN, 0}, TALK, {500, CLIENT, DO_SHUTDOWN, 0}},
     {{.side = SERVER, .with = F, .nth = 1, .late = true}}},
    {"close, server first", "answered later", {OPEN, TALK, SERVER_FIRST}, {{0}}},
    {"close, server first",
     "answer and FIN in one",
     {OPEN,
      {200, CLIENT, DO_SEND, 100},
      {400, SERVER, DO_SEND, 500},
      {400, SERVER, DO_SHUTDOWN, 0},
      {700, CLIENT, DO_CLOSE, 0}},
     {{0}}},
    {"close, at once", "both at the same instant", {OPEN, TALK, MERGED}, {{0}}},
    {"close, at once",
     "half a way apart",
     {OPEN, {500, CLIENT, DO_SHUTDOWN, 0}, {510, SERVER, DO_SHUTDOWN, 0}},
     {{0}}},
    {"close, at once",
     "the server a moment earlier",
     {OPEN, TALK, {500, SERVER, DO_SHUTDOWN, 0}, {501, CLIENT, DO_SHUTDOWN, 0}},
     {{0}}},
    {"close, loss",
     "first FIN lost",
     {OPEN, CLIENT_FIRST},
     {{.side = CLIENT, .with = F, .nth = 1}}},
    {"close, loss",
     "first FIN lost behind the capture",
     {OPEN, TALK, CLIENT_FIRST},
     {{.side = CLIENT, .with = F, .nth = 1, .late = true}}},
    {"close, loss",
     "second FIN lost",
     {OPEN, CLIENT_FIRST},
     {{.side = SERVER, .with = F, .nth = 1}}},
    {"close, loss",
     "second FIN lost behind the capture",
     {OPEN, CLIENT_FIRST},
     {{.side = SERVER, .with = F, .nth = 1, .late = true}}},
    {"close, loss",
     "last ACK lost",
     {OPEN, CLIENT_FIRST},
     {{.side = CLIENT, .with = A, .without = S | F, .nth = 2, .late = true}}},
    {"close, loss",
     "last ACK lost early",
     {OPEN, CLIENT_FIRST},
     {{.side = CLIENT, .with = A, .without = S | F, .nth = 2}}},
    {"close, loss",
     "first FIN's ACK lost",
     {OPEN, {200, CLIENT, DO_SHUTDOWN, 0}, {3000, SERVER, DO_CLOSE, 0}},
     {{.side = SERVER, .with = A, .without = S | F, .nth = 1}}},
    {"close, loss",
     "first FIN's ACK lost behind the capture",
     {OPEN, {200, CLIENT, DO_SHUTDOWN, 0}, {3000, SERVER, DO_CLOSE, 0}},
     {{.side = SERVER, .with = A, .without = S | F, .nth = 1, .late = true}}},
    {"close, loss",
     "data before the FIN lost",
     {OPEN,
      {200, CLIENT, DO_SEND, 6000},
      {200, CLIENT, DO_SHUTDOWN, 0},
      {2000, SERVER, DO_CLOSE, 0}},
     {{.side = CLIENT, .with = A, .data = true, .nth = 2, .late = true}}},
    {"close, loss",
     "data before the FIN lost early",
     {OPEN,
      {200, CLIENT, DO_SEND, 6000},
      {200, CLIENT, DO_SHUTDOWN, 0},
      {2000, SERVER, DO_CLOSE, 0}},
     {{.side = CLIENT, .with = A, .data = true, .nth = 2}}},
    {"close, loss",
     "one FIN of two that cross lost",
     {OPEN, TALK, MERGED},
     {{.side = CLIENT, .with = F, .nth = 1, .late = true}}},
    {"reset", "the client gives up", {OPEN, TALK, {500, CLIENT, DO_ABORT, 0}}, {{0}}},
    {"reset", "the server gives up", {OPEN, TALK, {500, SERVER, DO_ABORT, 0}}, {{0}}},
    {"reset", "at once", {OPEN, {200, CLIENT, DO_ABORT, 0}}, {{0}}},
    {"reset",
     "half closed",
     {OPEN, TALK, {500, CLIENT, DO_SHUTDOWN, 0}, {700, SERVER, DO_ABORT, 0}},
     {{0}}},
    {"reset",
     "by the one that closed",
     {OPEN, {500, CLIENT, DO_SHUTDOWN, 0}, {700, CLIENT, DO_ABORT, 0}},
     {{0}}},
    {"reset",
     "data for a program that is gone",
     {OPEN, {200, CLIENT, DO_CLOSE, 0}, {500, SERVER, DO_SEND, 1000}},
     {{0}}},
    {"reset",
     "a reset meets a FIN",
     {OPEN, TALK, {500, CLIENT, DO_ABORT, 0}, {501, SERVER, DO_SHUTDOWN, 0}},
     {{0}}},
    {"reset, loss",
     "RST lost, the other end speaks",
     {OPEN, TALK, {500, CLIENT, DO_ABORT, 0}, {900, SERVER, DO_SEND, 100}},
     {{.side = CLIENT, .with = R, .nth = 1, .late = true}}},
    {"reset, loss",
     "RST lost early, the other end speaks",
     {OPEN, TALK, {500, CLIENT, DO_ABORT, 0}, {900, SERVER, DO_SEND, 100}},
     {{.side = CLIENT, .with = R, .nth = 1}}},
    {"reset, loss",
     "the refusal is lost",
     {{0, CLIENT, DO_CONNECT, 0}},
     {{.side = SERVER, .with = R, .nth = 1, .late = true}}},
};

/* Played many times with frames lost at random. */
static const struct story random_stories[] = {
    {"random", "client first", {OPEN, TALK, CLIENT_FIRST}, {{0}}},
    {"random", "server first", {OPEN, TALK, SERVER_FIRST}, {{0}}},
    {"random", "at once", {OPEN, TALK, MERGED}, {{0}}},
    {"random",
     "FIN answered by FIN",
     {OPEN, {100, SERVER, DO_ANSWER_FIN, 0}, TALK, {500, CLIENT, DO_SHUTDOWN, 0}},
     {{0}}},
    {"random", "reset", {OPEN, TALK, {600, SERVER, DO_ABORT, 0}}, {{0}}},
    {"random",
     "data and FIN",
     {OPEN,
      {200, CLIENT, DO_SEND, 8000},
      {200, CLIENT, DO_SHUTDOWN, 0},
      {900, SERVER, DO_CLOSE, 0}},
     {{0}}},
};

#undef S
#undef A
#undef F
#undef R

#endif
