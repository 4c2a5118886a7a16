/* File descriptors: every connection takes one, and the usual limit is soon reached. */
#ifndef RILL_CLI_DESCRIPTORS_H
#define RILL_CLI_DESCRIPTORS_H

/* Raises the limit of this process as far as it may, and returns how many connections and files it
 * may then have open at once, beside what it needs itself; at least 1, at most a million. */
int descriptors_for_use(void);

#endif
