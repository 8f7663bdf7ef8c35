#include "conn/state.h"

#include "pys_conn.h"

static const struct {
    const char *brief;
    const char *full;
} names[PYS_N_STATES] = {
    [PYS_ST_BEFORE] = {"PINIT", "before SSL initialization"},
    [PYS_ST_OK] = {"SSLOK", "SSL negotiation finished successfully"},
    [PYS_ST_ERROR] = {"SSLERR", "error"},
    [PYS_ST_TED] = {"TED", "TLSv1.3 early data"},
    [PYS_ST_TWCH] = {"TWCH", "SSLv3/TLS write client hello"},
    [PYS_ST_TRCH] = {"TRCH", "SSLv3/TLS read client hello"},
    [PYS_ST_TWSH] = {"TWSH", "SSLv3/TLS write server hello"},
    [PYS_ST_TRSH] = {"TRSH", "SSLv3/TLS read server hello"},
    [PYS_ST_TWEE] = {"TWEE", "TLSv1.3 write encrypted extensions"},
    [PYS_ST_TREE] = {"TREE", "TLSv1.3 read encrypted extensions"},
    [PYS_ST_TWCR] = {"TWCR", "SSLv3/TLS write certificate request"},
    [PYS_ST_TRCR] = {"TRCR", "SSLv3/TLS read server certificate request"},
    [PYS_ST_TWSC] = {"TWSC", "SSLv3/TLS write certificate"},
    [PYS_ST_TRSC] = {"TRSC", "SSLv3/TLS read server certificate"},
    [PYS_ST_TWCS] = {"TWCS", "SSLv3/TLS write certificate status"},
    [PYS_ST_TRCS] = {"TRCS", "SSLv3/TLS read certificate status"},
    [PYS_ST_TWSKE] = {"TWSKE", "SSLv3/TLS write key exchange"},
    [PYS_ST_TRSKE] = {"TRSKE", "SSLv3/TLS read server key exchange"},
    [PYS_ST_TWSD] = {"TWSD", "SSLv3/TLS write server done"},
    [PYS_ST_TRSD] = {"TRSD", "SSLv3/TLS read server done"},
    [PYS_ST_TWCKE] = {"TWCKE", "SSLv3/TLS write client key exchange"},
    [PYS_ST_TRCKE] = {"TRCKE", "SSLv3/TLS read client key exchange"},
    [PYS_ST_TWSCV] = {"TWSCV", "TLSv1.3 write server certificate verify"},
    [PYS_ST_TRSCV] = {"TRSCV", "TLSv1.3 read server certificate verify"},
    [PYS_ST_TWCC] = {"TWCC", "SSLv3/TLS write client certificate"},
    [PYS_ST_TRCC] = {"TRCC", "SSLv3/TLS read client certificate"},
    [PYS_ST_TWCV] = {"TWCV", "SSLv3/TLS write certificate verify"},
    [PYS_ST_TRCV] = {"TRCV", "SSLv3/TLS read certificate verify"},
    [PYS_ST_TWCCS] = {"TWCCS", "SSLv3/TLS write change cipher spec"},
    [PYS_ST_TRCCS] = {"TRCCS", "SSLv3/TLS read change cipher spec"},
    [PYS_ST_TWEOED] = {"TWEOED", "TLSv1.3 write end of early data"},
    [PYS_ST_TREOED] = {"TREOED", "TLSv1.3 read end of early data"},
    [PYS_ST_TWFIN] = {"TWFIN", "SSLv3/TLS write finished"},
    [PYS_ST_TRFIN] = {"TRFIN", "SSLv3/TLS read finished"},
    [PYS_ST_TWST] = {"TWST", "SSLv3/TLS write session ticket"},
    [PYS_ST_TRST] = {"TRST", "SSLv3/TLS read server session ticket"},
    [PYS_ST_TWCKU] = {"TWCKU", "TLSv1.3 write client key update"},
    [PYS_ST_TWSKU] = {"TWSKU", "TLSv1.3 write server key update"},
    [PYS_ST_TRCKU] = {"TRCKU", "TLSv1.3 read client key update"},
    [PYS_ST_TRSKU] = {"TRSKU", "TLSv1.3 read server key update"},
};

const char *
pys_state_short(int state)
{
    return state >= 0 && state < PYS_N_STATES ? names[state].brief : "UNKWN";
}

const char *
pys_state_long(int state)
{
    return state >= 0 && state < PYS_N_STATES ? names[state].full :
                                                "unknown state";
}

const char *
pys_state_text(int state, bool longer)
{
    return longer ? pys_state_long(state) : pys_state_short(state);
}
