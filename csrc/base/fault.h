/*
 * Reasons, alerts and the record of what went wrong. Who finds a fault
 * records it, once; the first one wins. The numbers are SSL_R_ and SSL_AD_
 * of the contract, sections 7.4 and 7.5.
 */
#ifndef PYS_FAULT_H
#define PYS_FAULT_H

#include "base/base.h"
#include "pys.h"

/* RFC 8446 6, in numeric order. */
enum pys_alert {
    PYS_AD_CLOSE_NOTIFY = 0,
    PYS_AD_UNEXPECTED_MESSAGE = 10,
    PYS_AD_BAD_RECORD_MAC = 20,
    PYS_AD_RECORD_OVERFLOW = 22,
    PYS_AD_HANDSHAKE_FAILURE = 40,
    PYS_AD_BAD_CERTIFICATE = 42,
    PYS_AD_UNSUPPORTED_CERTIFICATE = 43,
    PYS_AD_CERTIFICATE_REVOKED = 44,
    PYS_AD_CERTIFICATE_EXPIRED = 45,
    PYS_AD_CERTIFICATE_UNKNOWN = 46,
    PYS_AD_ILLEGAL_PARAMETER = 47,
    PYS_AD_UNKNOWN_CA = 48,
    PYS_AD_ACCESS_DENIED = 49,
    PYS_AD_DECODE_ERROR = 50,
    PYS_AD_DECRYPT_ERROR = 51,
    PYS_AD_PROTOCOL_VERSION = 70,
    PYS_AD_INSUFFICIENT_SECURITY = 71,
    PYS_AD_INTERNAL_ERROR = 80,
    PYS_AD_INAPPROPRIATE_FALLBACK = 86,
    PYS_AD_USER_CANCELED = 90,
    PYS_AD_MISSING_EXTENSION = 109,
    PYS_AD_UNSUPPORTED_EXTENSION = 110,
    PYS_AD_UNRECOGNIZED_NAME = 112,
    PYS_AD_BAD_CERTIFICATE_STATUS_RESPONSE = 113,
    PYS_AD_UNKNOWN_PSK_IDENTITY = 115,
    PYS_AD_CERTIFICATE_REQUIRED = 116,
    PYS_AD_NO_APPLICATION_PROTOCOL = 120
};

/* Numeric order; each name has OpenSSL's number. */
enum pys_reason {
    PYS_R_NO_SUITABLE_KEY_SHARE = 101,
    PYS_R_BAD_KEY_SHARE = 108,
    PYS_R_BAD_EXTENSION = 110,
    PYS_R_MISSING_SIGALGS_EXTENSION = 112,
    PYS_R_NO_SUITABLE_SIGNATURE_ALGORITHM = 118,
    PYS_R_INVALID_KEY_UPDATE_TYPE = 120,
    PYS_R_STILL_IN_INIT = 121,
    PYS_R_BAD_KEY_UPDATE = 122,
    PYS_R_BAD_SIGNATURE = 123,
    PYS_R_BAD_WRITE_RETRY = 127,
    PYS_R_BIO_NOT_SET = 128,
    PYS_R_TOO_MANY_KEY_UPDATES = 132,
    PYS_R_CCS_RECEIVED_EARLY = 133,
    PYS_R_CERTIFICATE_VERIFY_FAILED = 134,
    PYS_R_CERT_LENGTH_MISMATCH = 135,
    PYS_R_CONNECTION_TYPE_NOT_SET = 144,
    PYS_R_DIGEST_CHECK_FAILED = 149,
    PYS_R_ENCRYPTED_LENGTH_TOO_LONG = 150,
    PYS_R_EXCESSIVE_MESSAGE_SIZE = 152,
    PYS_R_HTTPS_PROXY_REQUEST = 155,
    PYS_R_HTTP_REQUEST = 156,
    PYS_R_LENGTH_MISMATCH = 159,
    PYS_R_LENGTH_TOO_SHORT = 160,
    PYS_R_NO_CERTIFICATE_ASSIGNED = 177,
    PYS_R_NO_CERTIFICATE_SET = 179,
    PYS_R_NO_CIPHERS_AVAILABLE = 181,
    PYS_R_NOT_ON_RECORD_BOUNDARY = 182,
    PYS_R_NO_PRIVATE_KEY_ASSIGNED = 190,
    PYS_R_NO_PROTOCOLS_AVAILABLE = 191,
    PYS_R_NO_SHARED_CIPHER = 193,
    PYS_R_PACKET_LENGTH_TOO_LONG = 198,
    PYS_R_PEER_DID_NOT_RETURN_A_CERTIFICATE = 199,
    PYS_R_INVALID_ALERT = 205,
    PYS_R_PROTOCOL_IS_SHUTDOWN = 207,
    PYS_R_MISSING_SUPPORTED_GROUPS_EXTENSION = 209,
    PYS_R_RECORD_LENGTH_MISMATCH = 213,
    PYS_R_NO_CHANGE_FOLLOWING_HRR = 214,
    PYS_R_UNSOLICITED_EXTENSION = 217,
    PYS_R_CIPHERSUITE_DIGEST_HAS_CHANGED = 218,
    PYS_R_CALLBACK_FAILED = 234,
    PYS_R_NO_APPLICATION_PROTOCOL = 235,
    PYS_R_UNEXPECTED_MESSAGE = 244,
    PYS_R_UNKNOWN_ALERT_TYPE = 246,
    PYS_R_UNKNOWN_CERTIFICATE_TYPE = 247,
    PYS_R_UNSUPPORTED_PROTOCOL = 258,
    PYS_R_INVALID_CCS_MESSAGE = 260,
    PYS_R_WRONG_CIPHER_RETURNED = 261,
    PYS_R_UNEXPECTED_CCS_MESSAGE = 262,
    PYS_R_BAD_HRR_VERSION = 263,
    PYS_R_WRONG_SSL_VERSION = 266,
    PYS_R_WRONG_VERSION_NUMBER = 267,
    PYS_R_BAD_LENGTH = 271,
    PYS_R_UNINITIALIZED = 276,
    PYS_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC = 281,
    PYS_R_APPLICATION_DATA_AFTER_CLOSE_NOTIFY = 291,
    PYS_R_MIXED_HANDSHAKE_AND_NON_HANDSHAKE_DATA = 293,
    PYS_R_UNEXPECTED_EOF_WHILE_READING = 294,
    PYS_R_NO_SUITABLE_GROUPS = 295,
    PYS_R_BAD_ECPOINT = 306,
    PYS_R_COOKIE_MISMATCH = 308,
    PYS_R_MISSING_PSK_KEX_MODES_EXTENSION = 310,
    PYS_R_SSL3_EXT_INVALID_SERVERNAME = 319,
    PYS_R_INVALID_COMPRESSION_ALGORITHM = 341,
    PYS_R_TLS_ILLEGAL_EXPORTER_LABEL = 367,
    PYS_R_WRONG_SIGNATURE_TYPE = 370,
    PYS_R_INAPPROPRIATE_FALLBACK = 373,
    PYS_R_CERT_CB_ERROR = 377,
    PYS_R_WRONG_CERTIFICATE_TYPE = 383,
    PYS_R_SHUTDOWN_WHILE_IN_INIT = 407,
    PYS_R_TOO_MANY_WARN_ALERTS = 409,
    PYS_R_NO_SHARED_GROUPS = 410,
    PYS_R_BAD_RECORD_TYPE = 443,
    PYS_R_INVALID_SESSION_ID = 999
};

/* Libraries of packed codes, and the reasons any library may use. */
enum {
    PYS_LIB_SSL = 20,
    PYS_LIB_BIO = 32,
    PYS_ERR_MALLOC = 0xC0100,
    PYS_ERR_SHOULD_NOT_BE_CALLED = 0xC0101,
    PYS_ERR_NULL = 0xC0102,
    PYS_ERR_INTERNAL = 0xC0103
};

/* An empty record. */
void pys_fault_init(pys_fault *f);

/* True if something fatal is recorded. */
static inline bool
pys_fault_any(const pys_fault *f)
{
    return f->n_codes != 0;
}

/* Appends one packed code; the room is PYS_FAULT_CODES, later ones drop. */
void pys_fault_code(pys_fault *f, unsigned lib, unsigned reason);

/*
 * Moves libcrypto's queue of this thread into f, oldest first, and leaves
 * the queue empty. To be called right where libcrypto failed.
 */
void pys_fault_drain(pys_fault *f);

/* Empties libcrypto's queue where a failure is an expected answer. */
void pys_fault_forget(void);

/*
 * Records alert and SSL reason unless something is recorded already; drains
 * libcrypto's queue first if it is not empty. Always false, so that the
 * finder can return it.
 */
bool pys_fault_set(pys_fault *f, int alert, unsigned reason);

/* The same for reasons of pys_fault's common library-independent kind. */
bool pys_fault_internal(pys_fault *f);

#endif
