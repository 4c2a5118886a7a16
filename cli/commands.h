/* The commands of the rill program: each takes its own words and returns an exit status. */
#ifndef RILL_CLI_COMMANDS_H
#define RILL_CLI_COMMANDS_H

int command_get(int argc, char **argv);
int command_ps(int argc, char **argv);
int command_watch(int argc, char **argv);

#endif
