/* Plots: lines over time as one self-contained SVG file.
 *
 * A plot has a title, a horizontal axis in seconds, a vertical axis with a unit, up to
 * SLT_PLOT_SERIES_MAX lines with their names, and marks for instants at which something changed.
 * It knows nothing of what it draws. Points with a negative value are gaps.
 */
#ifndef SLT_LAB_PLOT_H
#define SLT_LAB_PLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define SLT_PLOT_SERIES_MAX 24U
#define SLT_PLOT_NAME_BYTES 64U
#define SLT_PLOT_MARKS_MAX  64U

struct slt_plot_series {
    char name[SLT_PLOT_NAME_BYTES];
    const double *y; /* one for each instant; negative: a gap */
};

struct slt_plot {
    const char *title;
    const char *about; /* a line below the title; NULL: none */
    const char *unit;  /* of y */
    uint32_t points;
    double step_s; /* point i is at (i + 1) x step_s */
    double end_s;
    struct slt_plot_series series[SLT_PLOT_SERIES_MAX];
    uint32_t series_count;
    double mark_s[SLT_PLOT_MARKS_MAX];
    uint32_t mark_count;
};

/* Write the picture. False when the file could not be written. */
bool slt_plot_write(const struct slt_plot *plot, FILE *to);

/* The distance between ticks for an axis from 0 to `top` with about `count` of them: 1, 2 or 5
 * times a power of ten. */
double slt_plot_tick(double top, unsigned count);

#endif
