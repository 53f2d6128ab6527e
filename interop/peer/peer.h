/* What the two halves of the peer share. */
#ifndef PEER_H
#define PEER_H

enum { EXIT_TLS = 1, EXIT_USAGE = 2, EXIT_DEADLINE = 3 };

/* The command line; see peer.c. */
struct options {
    const char *ca, *chain, *key;
    const char *ciphersuites, *groups;
    const char *min, *max, *alpn, *host, *steps;
    const char *dir, *kind, *id;
    int port, verify, resume, connections, strict, deadline;
};

extern struct options opt;

/* Ends the process over something that the test set up wrongly: no event, the stack's own words. */
void die(const char *what);

#define MUST(call) do { if ((call) <= 0) die(#call); } while (0)

/* `peer chain`: makes certificates; see chain.c. */
int make_chain(void);

#endif
