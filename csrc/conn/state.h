/*
 * Names of the places in a handshake (SSL_state_string(3), contract HS-51).
 */
#ifndef PYS_STATE_H
#define PYS_STATE_H

/* 0 and 1 are fixed (HS-48). */
enum pys_state {
    PYS_ST_BEFORE = 0,
    PYS_ST_OK = 1,
    PYS_ST_ERROR,
    PYS_ST_TED,
    PYS_ST_TWCH,
    PYS_ST_TRCH,
    PYS_ST_TWSH,
    PYS_ST_TRSH,
    PYS_ST_TWEE,
    PYS_ST_TREE,
    PYS_ST_TWCR,
    PYS_ST_TRCR,
    PYS_ST_TWSC,
    PYS_ST_TRSC,
    PYS_ST_TWCS,
    PYS_ST_TRCS,
    PYS_ST_TWSKE,
    PYS_ST_TRSKE,
    PYS_ST_TWSD,
    PYS_ST_TRSD,
    PYS_ST_TWCKE,
    PYS_ST_TRCKE,
    PYS_ST_TWSCV,
    PYS_ST_TRSCV,
    PYS_ST_TWCC,
    PYS_ST_TRCC,
    PYS_ST_TWCV,
    PYS_ST_TRCV,
    PYS_ST_TWCCS,
    PYS_ST_TRCCS,
    PYS_ST_TWEOED,
    PYS_ST_TREOED,
    PYS_ST_TWFIN,
    PYS_ST_TRFIN,
    PYS_ST_TWST,
    PYS_ST_TRST,
    PYS_ST_TWCKU,
    PYS_ST_TWSKU,
    PYS_ST_TRCKU,
    PYS_ST_TRSKU,
    PYS_N_STATES
};

/* Never NULL. */
const char *pys_state_short(int state);
const char *pys_state_long(int state);

#endif
