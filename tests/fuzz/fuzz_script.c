/* Any text is a script, or an error with its place: nothing else may happen. The same of the code
 * of assertions. */
#include "lab/script_assert.h"
#include "lab/script_parse.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool find_name(void *ctx, const char *name, int64_t *number)
{
    (void)ctx;
    *number = name[0];
    return name[0] == 't';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slt_script script = {0};
    struct slt_script_error error;
    struct slt_assert_names names = {.find = find_name};
    char out[256];

    if (size > 8192) {
        return 0;
    }
    char *text = malloc(size + 1);
    if (!text) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    bool good = slt_script_parse(&script, "fuzz", text, (uint32_t)size, &error);
    SLT_ASSERT(good || error.text[0] != '\0');
    SLT_ASSERT(good || (error.line > 0 && error.column > 0));
    slt_script_free(&script);
    slt_assert_run(text, &names, out, sizeof(out));
    free(text);
    return 0;
}
