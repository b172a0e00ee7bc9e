/* What situations.c and crossings.c share. */
#ifndef SITUATIONS_H
#define SITUATIONS_H

#include "scene.h"

extern int target;     /* the queue of the interrupt */
extern int others_run; /* and do the other workers move before the interrupted one goes on */
extern long points;    /* tried so far */

void interrupt(void);

void writers(int stages, int how);
void changes(int stages, int how);
void frozen(int stages, int how);
void waiting(int stages, int how);

#endif
