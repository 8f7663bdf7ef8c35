/*
 * Our own certificate: which one serves a peer, and by which scheme it signs.
 */
#ifndef PYS_OWN_H
#define PYS_OWN_H

#include "conn/conn.h"

/*
 * Server: picks certificate and scheme for what the client offered
 * (hs->id, hs->scheme). False with the fault recorded if nothing fits.
 */
PYS_MUST bool pys_identity_choose(pys_hs *hs);

/* Sets hs->id and hs->scheme, or leaves them NULL. False: memory. */
PYS_MUST bool pys_identity_pick(pys_hs *hs);

/*
 * TLS 1.2: how well a certificate of ours for this kind of suite does for the
 * client, or -1 if there is none. More is better.
 */
int pys_identity_rating(const pys_hs *hs, enum pys_auth auth);

/*
 * May the peer be shown this one, for how it is signed? What it perhaps cannot
 * verify may be (RFC 8446 4.4.2.2), with exceptions.
 */
bool pys_cert_showable(const pys_hs *hs, pys_cert *c);

#endif
