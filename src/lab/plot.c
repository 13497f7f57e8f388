/* The picture: one panel of 720 x 300, axes with round numbers, a light grid, the legend on the
 * right. Coordinates have one decimal, and a run of points of the same height is written as its two
 * ends, so that a minute of samples stays some ten kilobytes. Colours are told apart by people who
 * confuse red and green, and dashes help from the ninth line on.
 */
#include "lab/plot.h"

#include <string.h>

#define WIDTH   960.0
#define HEIGHT  400.0
#define LEFT    72.0
#define TOP     54.0
#define PANEL_W 700.0
#define PANEL_H 290.0

static const char *const colours[] = {
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#555555", "#7a3fb0",
};
#define COLOURS (sizeof(colours) / sizeof(colours[0]))

static const char *const dashes[] = {"", " stroke-dasharray=\"7 3\"", " stroke-dasharray=\"2 3\""};

double slt_plot_tick(double top, unsigned count)
{
    double step = 1;
    double wanted = top / (count > 0 ? count : 1);
    if (!(wanted > 0)) {
        return 1;
    }
    while (step > wanted) {
        step /= 10;
    }
    while (step * 10 <= wanted) {
        step *= 10;
    }
    if (step * 5 <= wanted) {
        return step * 5;
    }
    return step * 2 <= wanted ? step * 2 : step;
}

/* ---- text ----------------------------------------------------------------------------------- */

static void escaped(const char *text, FILE *to)
{
    for (; *text != '\0'; text++) {
        if (*text == '<') {
            (void)fputs("&lt;", to);
        } else if (*text == '&') {
            (void)fputs("&amp;", to);
        } else if (*text == '>') {
            (void)fputs("&gt;", to);
        } else {
            (void)fputc(*text, to);
        }
    }
}

static void text_at(double x, double y, const char *attributes, const char *text, FILE *to)
{
    (void)fprintf(to, "<text x=\"%.1f\" y=\"%.1f\"%s>", x, y, attributes);
    escaped(text, to);
    (void)fputs("</text>\n", to);
}

/* ---- axes ----------------------------------------------------------------------------------- */

/* The highest value of all lines, with some air above. */
static double top_of(const struct slt_plot *plot)
{
    double top = 0;
    for (uint32_t i = 0; i < plot->series_count; i++) {
        for (uint32_t k = 0; k < plot->points; k++) {
            double y = plot->series[i].y[k];
            top = y > top ? y : top;
        }
    }
    return top > 0 ? top * 1.05 : 1;
}

static void draw_axis_y(double top, const char *unit, FILE *to)
{
    double tick = slt_plot_tick(top, 6);
    char label[40];
    for (unsigned i = 0; i * tick <= top; i++) {
        double y = TOP + PANEL_H - i * tick / top * PANEL_H;
        (void)snprintf(label, sizeof(label), "%.6g", i * tick);
        (void)fprintf(to, "<path class=\"g\" d=\"M%.1f %.1fh%.1f\"/>\n", LEFT, y, PANEL_W);
        text_at(LEFT - 6, y + 4, " text-anchor=\"end\"", label, to);
    }
    (void)fprintf(to, "<text transform=\"translate(16 %.1f) rotate(-90)\" text-anchor=\"middle\">",
                  TOP + PANEL_H / 2);
    escaped(unit, to);
    (void)fputs("</text>\n", to);
}

static void draw_axis_x(double end_s, FILE *to)
{
    double tick = slt_plot_tick(end_s, 10);
    char label[40];
    for (unsigned i = 0; i * tick <= end_s * 1.0001; i++) {
        double x = LEFT + i * tick / end_s * PANEL_W;
        (void)snprintf(label, sizeof(label), "%.6g", i * tick);
        (void)fprintf(to, "<path class=\"g\" d=\"M%.1f %.1fv%.1f\"/>\n", x, TOP, PANEL_H);
        text_at(x, TOP + PANEL_H + 17, " text-anchor=\"middle\"", label, to);
    }
    text_at(LEFT + PANEL_W / 2, TOP + PANEL_H + 36, " text-anchor=\"middle\"", "time (s)", to);
}

static void draw_marks(const struct slt_plot *plot, FILE *to)
{
    for (uint32_t i = 0; i < plot->mark_count; i++) {
        double x = LEFT + plot->mark_s[i] / plot->end_s * PANEL_W;
        (void)fprintf(to, "<path class=\"m\" d=\"M%.1f %.1fv%.1f\"/>\n", x, TOP, PANEL_H);
    }
}

/* ---- lines ---------------------------------------------------------------------------------- */

/* True when the point lies on the level between its neighbours and can be left out. */
static bool is_level(const double *y, uint32_t k, uint32_t points)
{
    return k > 0 && k + 1 < points && y[k - 1] == y[k] && y[k + 1] == y[k];
}

static void draw_line(const struct slt_plot *plot, uint32_t index, double top, FILE *to)
{
    const double *y = plot->series[index].y;
    bool down = false; /* the pen */
    (void)fprintf(to, "<path class=\"l\" stroke=\"%s\"%s d=\"", colours[index % COLOURS],
                  dashes[index / COLOURS % 3]);
    for (uint32_t k = 0; k < plot->points; k++) {
        if (y[k] < 0 || (down && is_level(y, k, plot->points))) {
            down = down && y[k] >= 0;
            continue;
        }
        double x = LEFT + (k + 1) * plot->step_s / plot->end_s * PANEL_W;
        bool alone = !down && (k + 1 == plot->points || y[k + 1] < 0);
        (void)fprintf(to, "%c%.1f %.1f%s", down ? 'L' : 'M', x,
                      TOP + PANEL_H - y[k] / top * PANEL_H, alone ? "h1" : "");
        down = true;
    }
    (void)fputs("\"/>\n", to);
}

static void draw_legend(const struct slt_plot *plot, FILE *to)
{
    double x = LEFT + PANEL_W + 16;
    for (uint32_t i = 0; i < plot->series_count; i++) {
        double y = TOP + 8 + 15.0 * i;
        char name[30];
        (void)snprintf(name, sizeof(name), "%.24s", plot->series[i].name);
        (void)fprintf(to, "<path class=\"l\" stroke=\"%s\"%s d=\"M%.1f %.1fh20\"/>\n",
                      colours[i % COLOURS], dashes[i / COLOURS % 3], x, y);
        text_at(x + 26, y + 4, "", name, to);
    }
}

bool slt_plot_write(const struct slt_plot *plot, FILE *to)
{
    double top = top_of(plot);
    double right = WIDTH;
    double low = TOP + 8 + 15.0 * plot->series_count + 10;
    double bottom = low > HEIGHT ? low : HEIGHT;
    (void)fprintf(to,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" "
                  "width=\"%.0f\" height=\"%.0f\" font-family=\"sans-serif\" font-size=\"12\" "
                  "fill=\"#222\">\n<style>path{fill:none}.g{stroke:#e4e4e4}.m{stroke:#999;"
                  "stroke-dasharray:4 4}.l{stroke-width:1.5}</style>\n"
                  "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
                  right, bottom, right, bottom);
    text_at(LEFT, 22, " font-size=\"15\" font-weight=\"bold\"", plot->title, to);
    if (plot->about != NULL) {
        text_at(LEFT, 42, " fill=\"#666\"", plot->about, to);
    }
    draw_axis_y(top, plot->unit, to);
    draw_axis_x(plot->end_s, to);
    draw_marks(plot, to);
    for (uint32_t i = 0; i < plot->series_count; i++) {
        draw_line(plot, i, top, to);
    }
    (void)fprintf(to,
                  "<rect x=\"%.0f\" y=\"%.0f\" width=\"%.0f\" height=\"%.0f\" fill=\"none\" "
                  "stroke=\"#444\"/>\n",
                  LEFT, TOP, PANEL_W, PANEL_H);
    draw_legend(plot, to);
    (void)fputs("</svg>\n", to);
    return ferror(to) == 0;
}
