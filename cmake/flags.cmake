# Compiler and linker flags of every target of this project; a parent project keeps its own.

set(salut_warnings
    -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes
    -Wswitch-enum -Wvla)
if(SALUT_WERROR)
  list(APPEND salut_warnings -Werror)
endif()

set(salut_options -fno-semantic-interposition)
set(salut_link_options)
set(salut_definitions)

if(SALUT_DEBUG)
  list(APPEND salut_definitions SLT_DEBUG)
endif()
if(SALUT_SANITIZE)
  list(APPEND salut_options -fsanitize=${SALUT_SANITIZE} -fno-sanitize-recover=all
       -fno-omit-frame-pointer)
  list(APPEND salut_link_options -fsanitize=${SALUT_SANITIZE})
endif()
if(SALUT_FUZZ)
  list(APPEND salut_options -fsanitize=fuzzer-no-link)
endif()

# Left to itself gcc for x86 clears a structure of more than some thirty bytes by "rep stos", which
# starts too slowly for that, and where a profile tells it how long copies are, copies by "rep movs",
# which is slower than the C library's memcpy.
include(CheckCCompilerFlag)
set(salut_strings -mmemset-strategy=vector_loop:512:noalign,libcall:-1:noalign
                  -mmemcpy-strategy=libcall:-1:noalign)
string(REPLACE ";" " " salut_strings_line "${salut_strings}")
check_c_compiler_flag("${salut_strings_line}" salut_has_strings)
if(salut_has_strings)
  list(APPEND salut_options ${salut_strings})
  list(APPEND salut_link_options ${salut_strings}) # link-time optimization compiles
endif()

# The engine is many small functions, most of which every segment passes; gcc's limits on making one
# part of another are meant for larger ones. With these a connection's life is six instructions in a
# hundred shorter, and the engine's code half as large again.
set(salut_inlining)
if(CMAKE_C_COMPILER_ID STREQUAL GNU)
  set(salut_inlining --param=max-inline-insns-auto=200 --param=max-inline-insns-single=400
                     --param=inline-unit-growth=300 --param=large-function-growth=400
                     --param=large-stack-frame-growth=4000)
endif()

# Give `target` the project's language level, warnings and instrumentation.
function(salut_flags target)
  set_target_properties(${target} PROPERTIES
    C_STANDARD 11 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF POSITION_INDEPENDENT_CODE ON)
  target_compile_options(${target} PRIVATE ${salut_warnings} ${salut_options})
  target_compile_definitions(${target} PRIVATE ${salut_definitions})
  target_link_options(${target} PRIVATE ${salut_link_options})
endfunction()

# Profile-guided builds (tools/build profiled). Samples of the benchmark are processes of their own
# and one thread each, so plain counters do; a file or function that the training did not reach is
# compiled as if there were no profile. Who trains on a machine runs on it: the result is for its
# processor, and may not run on an older one.
if(SALUT_PROFILE STREQUAL "generate")
  add_compile_options(-fprofile-generate -fprofile-update=single)
  add_link_options(-fprofile-generate)
elseif(SALUT_PROFILE STREQUAL "use")
  add_compile_options(-march=native
                      -fprofile-use -fprofile-partial-training -fprofile-correction
                      -Wno-missing-profile -Wno-coverage-mismatch
                      --param=hot-bb-count-ws-permille=999)
  add_link_options(-march=native -fprofile-use -fprofile-partial-training
                   --param=hot-bb-count-ws-permille=999)
  list(APPEND salut_definitions SLT_PROFILED)
elseif(SALUT_PROFILE)
  message(FATAL_ERROR "SALUT_PROFILE is \"${SALUT_PROFILE}\": generate, use, or nothing")
endif()
