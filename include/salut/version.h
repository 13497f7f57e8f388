/* The version of salut, in the one place that knows it: the build reads it from here. */
#ifndef SALUT_VERSION_H
#define SALUT_VERSION_H

#define SALUT_VERSION_MAJOR  0
#define SALUT_VERSION_MINOR  1
#define SALUT_VERSION_PATCH  0
#define SALUT_VERSION_STRING "0.1.0"

#endif
