/* `salut test`: packetdrill scripts against the stack, in virtual time. */
#ifndef SLT_LAB_SCRIPT_MAIN_H
#define SLT_LAB_SCRIPT_MAIN_H

/* Run the scripts named by the arguments (argv[0] is the program or verb). Returns the exit
 * status: 0 all passed, 1 some failed, 2 wrong usage or an unreadable script. */
int slt_lab_test_main(int argc, char **argv);

#endif
