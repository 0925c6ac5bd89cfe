/* The gate controller: the link's device end around the interlock (docs/gate-link.md). One of it, no dynamic memory. */
#ifndef GATE_FIRMWARE_H
#define GATE_FIRMWARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KEY_MIN = 16, READS = 16 };

/* Begin anew with the link key. False where it is too short to be a secret. */
bool firmware_power_on(const uint8_t *key, size_t length);

/* To be called every 10 ms: the safety logic once, then what is to be told. */
void firmware_tick(void);

/* To be called as often as wanted: takes what came over the line, READS pieces at most, for a line that is never silent must not keep
 * the doors from their tick; commands are executed at once, on the sensors of the last tick. */
void firmware_listen(void);

/* For diagnosis: confirmations without the link key; frames that were damaged, forged, repeated or unknown. */
uint32_t firmware_refused_hosts(void);
uint32_t firmware_rejected_frames(void);

#endif
