/*
 * A server's sessions by id, bounded in count and time (SESS-6, SESS-13,
 * SESS-14), and the tickets already used (RFC 8446 8.1). Safe for many
 * threads; no call waits for anything but a short lock.
 */
#ifndef PYS_CACHE_H
#define PYS_CACHE_H

#include "session/session.h"

typedef struct pys_cache pys_cache;

PYS_MUST pys_cache *pys_cache_new(void);
pys_cache *pys_cache_up_ref(pys_cache *c);
void pys_cache_free(pys_cache *c);
/*
 * Most sessions kept; 0: no bound but memory. Default 20480. Those above a
 * new bound stay until pys_cache_excess takes them.
 */
void pys_cache_set_size(pys_cache *c, size_t n);
size_t pys_cache_size(pys_cache *c);
size_t pys_cache_count(pys_cache *c);

/*
 * Adds a session (takes a reference). False if that very object is in
 * already or memory is short. *dropped: the one that had to go, with its
 * reference, or NULL: one of the same id, or the least lately used one. A
 * session without an id is kept, but not found.
 */
PYS_MUST bool pys_cache_add(pys_cache *c, pys_session *s,
    pys_session **dropped);
/* While there are too many: the least lately used one, taken out. */
PYS_MUST pys_session *pys_cache_excess(pys_cache *c);
/* A new reference, or NULL. Expired ones are found, too: see `made`. */
PYS_MUST pys_session *pys_cache_find(pys_cache *c, pys_rd id);
/*
 * The reference that the cache had, or NULL if it was not in. One of the same
 * id counts as the session.
 */
PYS_MUST pys_session *pys_cache_remove(pys_cache *c, const pys_session *s);
/*
 * One session that has expired at `now` (seconds; 0: any session), taken out,
 * with its reference; NULL when there is none left. Taking out all that have
 * costs one look at each session.
 */
PYS_MUST pys_session *pys_cache_expire(pys_cache *c, int64_t now);

/*
 * Anti-replay: true the first time these 32 bytes are seen. They are
 * remembered for window_ms milliseconds, and on for as long as life_ms if the
 * place is not needed. Bounded: some 40000 at a time fit in for sure, more
 * than 65536 never; for one that does not, or if memory is short, the answer
 * is false. A clock that is set back frees nothing.
 */
PYS_MUST bool pys_cache_first_use(pys_cache *c, const uint8_t id[32],
    int64_t now_ms, int64_t window_ms, int64_t life_ms);

/*
 * Can nothing made at made_ms have been used within the last window_ms
 * milliseconds but before this cache began (RFC 8446 8.2)?
 */
bool pys_cache_covers(const pys_cache *c, int64_t made_ms, int64_t now_ms,
    int64_t window_ms);

#endif
