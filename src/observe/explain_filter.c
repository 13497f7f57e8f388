/* The filter of explain: a conjunction in the words of pcap-filter(7); see explain.h. */
#include "observe/explain.h"

#include "salut/salut.h"

#include <stdlib.h>

static bool parse_port(const char *word, uint16_t *port)
{
    char *end;
    unsigned long value = strtoul(word, &end, 10);
    *port = (uint16_t)value;
    return word[0] >= '0' && word[0] <= '9' && *end == '\0' && value <= UINT16_MAX;
}

static bool parse_host(const char *word, uint8_t out[16])
{
    salut_addr addr;
    if (salut_addr_parse(word, &addr) != SALUT_OK) {
        return false;
    }
    memcpy(out, addr.b, sizeof(addr.b));
    return true;
}

static bool take_value(struct slt_explain_term *term, const char *name, const char *value)
{
    if (strcmp(name, "port") == 0) {
        term->kind = SLT_TERM_PORT;
        return parse_port(value, &term->port);
    }
    term->kind = SLT_TERM_HOST;
    return strcmp(name, "host") == 0 && parse_host(value, term->addr);
}

const char *slt_explain_filter_parse(struct slt_explain_filter *filter, const char *const *words,
                                     size_t count)
{
    struct slt_explain_term term = {0};
    for (size_t i = 0; i < count; i++) {
        const char *word = words[i];
        if (strcmp(word, "and") == 0 || strcmp(word, "tcp") == 0 || strcmp(word, "&&") == 0) {
            continue;
        }
        if (strcmp(word, "not") == 0 || strcmp(word, "!") == 0) {
            term.negated = !term.negated;
            continue;
        }
        if (strcmp(word, "src") == 0 || strcmp(word, "dst") == 0) {
            term.src = word[0] == 's';
            term.dst = word[0] == 'd';
            continue;
        }
        if (i + 1 == count || filter->count == SLT_EXPLAIN_TERMS_MAX ||
            !take_value(&term, word, words[i + 1])) {
            return word;
        }
        filter->terms[filter->count] = term;
        filter->count++;
        memset(&term, 0, sizeof(term));
        i++;
    }
    bool dangling = term.negated || term.src || term.dst;
    return dangling ? words[count - 1] : NULL;
}
