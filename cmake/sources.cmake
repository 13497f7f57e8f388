# Every folder of the house becomes part of a library by its name; an empty folder is fine.
#
#   salut-core     objects of floors 0-4: no operating system, no _GNU_SOURCE
#   salut-system   objects of link and sock
#   salut-static   libsalut.a  = core + system        (salut::salut)
#   salut-shared   libsalut.so = the same objects, exporting salut_* only
#   salut-observe, salut-run, salut-lab, salut-commands   static, for the program and the tests
#   salut-packetdrill   libsalut-packetdrill.so, from src/lab/packetdrill_so*.c and all the rest
#   salut          the program: cli/main.c and the commands

set(salut_root ${CMAKE_CURRENT_SOURCE_DIR})

# The .c files of some folders, relative to the project, in `out`.
function(salut_glob out)
  set(patterns)
  foreach(folder IN LISTS ARGN)
    list(APPEND patterns ${folder}/*.c)
  endforeach()
  file(GLOB found RELATIVE ${salut_root} CONFIGURE_DEPENDS ${patterns})
  set(${out} ${found} PARENT_SCOPE)
endfunction()

# A library of `kind` from `sources`, or an interface when there are none yet.
function(salut_library target kind sources)
  if(sources)
    add_library(${target} ${kind} ${sources})
    salut_flags(${target})
    target_include_directories(${target} PRIVATE ${salut_root}/include ${salut_root}/src
                               ${salut_root})
  else()
    add_library(${target} INTERFACE)
  endif()
endfunction()

# Link `target` with libraries, whether it has sources or not.
function(salut_link target)
  get_target_property(type ${target} TYPE)
  if(type STREQUAL INTERFACE_LIBRARY)
    target_link_libraries(${target} INTERFACE ${ARGN})
  else()
    target_link_libraries(${target} PUBLIC ${ARGN})
  endif()
endfunction()

# What everything above floor 4 may use of the operating system.
function(salut_system target)
  get_target_property(type ${target} TYPE)
  if(NOT type STREQUAL INTERFACE_LIBRARY)
    target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
  endif()
endfunction()

salut_glob(core_sources src/base src/wire src/tcp src/udp src/ip src/stack)
salut_glob(system_sources src/link src/sock)
salut_glob(observe_sources src/observe)
salut_glob(run_sources src/run)
salut_glob(lab_sources src/lab)
salut_glob(command_sources cli)
set(packetdrill_sources ${lab_sources})
list(FILTER packetdrill_sources INCLUDE REGEX "/packetdrill_so[^/]*\\.c$")
list(FILTER lab_sources EXCLUDE REGEX "/packetdrill_so[^/]*\\.c$")
list(REMOVE_ITEM command_sources cli/main.c)

# `salut run` needs Linux on x86-64 or aarch64, and libseccomp 2.5; without them the program says so
# instead (cli/without_run.c). SALUT_HAS_RUN says which it is, here and to the commands.
set(SALUT_HAS_RUN OFF)
if(CMAKE_SIZEOF_VOID_P EQUAL 8 AND CMAKE_SYSTEM_NAME STREQUAL Linux
   AND CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64|aarch64|arm64)$")
  find_path(SECCOMP_INCLUDE seccomp.h)
  find_library(SECCOMP_LIBRARY seccomp)
  if(SECCOMP_INCLUDE AND SECCOMP_LIBRARY)
    include(CheckSymbolExists)
    set(CMAKE_REQUIRED_INCLUDES ${SECCOMP_INCLUDE})
    check_symbol_exists(SCMP_ACT_NOTIFY seccomp.h salut_seccomp_notifies)
    unset(CMAKE_REQUIRED_INCLUDES)
    set(SALUT_HAS_RUN ${salut_seccomp_notifies})
  endif()
endif()
if(NOT SALUT_HAS_RUN)
  message(STATUS "no `salut run`: it needs Linux on x86-64 or aarch64, and libseccomp 2.5")
  set(run_sources)
  list(FILTER command_sources EXCLUDE REGEX "^cli/(cmd_run|cmd_enter|run_[^/]*)\\.c$")
endif()

salut_library(salut-core OBJECT "${core_sources}")
if(core_sources AND SALUT_CORE_OPTIONS)
  target_compile_options(salut-core PRIVATE ${SALUT_CORE_OPTIONS} ${salut_inlining})
endif()
salut_library(salut-system OBJECT "${system_sources}")
salut_system(salut-system)

set(salut_objects)
if(core_sources)
  list(APPEND salut_objects $<TARGET_OBJECTS:salut-core>)
endif()
if(system_sources)
  list(APPEND salut_objects $<TARGET_OBJECTS:salut-system>)
endif()

# Name, include path and version of a library that users link.
function(salut_published target)
  set_target_properties(${target} PROPERTIES OUTPUT_NAME salut LINKER_LANGUAGE C)
  target_include_directories(${target} PUBLIC
    $<BUILD_INTERFACE:${salut_root}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_link_options(${target} PRIVATE ${salut_link_options})
endfunction()

add_library(salut-static STATIC ${salut_objects})
salut_published(salut-static)
set_target_properties(salut-static PROPERTIES EXPORT_NAME salut)
add_library(salut::salut ALIAS salut-static)

if(SALUT_SHARED AND salut_objects AND NOT SALUT_SANITIZE)
  add_library(salut-shared SHARED ${salut_objects})
  salut_published(salut-shared)
  set_target_properties(salut-shared PROPERTIES
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}
    LINK_DEPENDS ${salut_root}/cmake/salut.map)
  target_link_options(salut-shared PRIVATE
    -Wl,--version-script=${salut_root}/cmake/salut.map -Wl,-z,defs)
  add_library(salut::salut-shared ALIAS salut-shared)
endif()

if(NOT SALUT_PROGRAM AND NOT SALUT_EXTRAS AND NOT SALUT_TESTS AND NOT SALUT_FUZZ)
  return()
endif()

salut_library(salut-observe STATIC "${observe_sources}")
salut_library(salut-run STATIC "${run_sources}")
salut_library(salut-lab STATIC "${lab_sources}")
salut_glob(bench_sources bench)
salut_library(salut-bench STATIC "${bench_sources}")

# The page of `salut explain --html`, put together of its parts.
set(explain_page ${CMAKE_CURRENT_BINARY_DIR}/explain_page_bytes.c)
file(GLOB explain_page_parts CONFIGURE_DEPENDS ${salut_root}/cli/page/explain.*
     ${salut_root}/cli/page/*.js)
add_custom_command(OUTPUT ${explain_page} VERBATIM
  DEPENDS ${explain_page_parts} ${salut_root}/cmake/embed.cmake
  COMMAND ${CMAKE_COMMAND} -D PAGE=${salut_root}/cli/page/explain.html -D OUT=${explain_page}
          -P ${salut_root}/cmake/embed.cmake)

salut_library(salut-commands STATIC "${command_sources};${explain_page}")
salut_link(salut-observe salut-static)
salut_link(salut-run salut-observe)
if(SALUT_HAS_RUN)
  target_include_directories(salut-run SYSTEM PRIVATE ${SECCOMP_INCLUDE})
  salut_link(salut-run ${SECCOMP_LIBRARY})
endif()
salut_link(salut-lab salut-observe)
salut_link(salut-bench salut-observe)
salut_link(salut-commands salut-lab salut-run salut-bench)
foreach(target salut-observe salut-run salut-lab salut-bench salut-commands)
  salut_system(${target})
endforeach()
if(SALUT_HAS_RUN AND command_sources)
  target_compile_definitions(salut-commands PRIVATE SALUT_HAS_RUN)
endif()

# Filters of `salut capture` are compiled by libpcap, which is loaded when one is given: linked, it
# would bring a dozen libraries to every start.
find_path(SALUT_PCAP_INCLUDE pcap/pcap.h)
if(SALUT_PCAP_INCLUDE)
  target_compile_definitions(salut-observe PRIVATE SLT_HAVE_PCAP)
  salut_link(salut-observe ${CMAKE_DL_LIBS})
endif()

# The screen of `salut watch` needs ncurses with wide characters; without it, or where it cannot be
# linked (32 bits on a 64-bit system), the verb says so.
include(CheckCSourceCompiles)
set(CMAKE_REQUIRED_LIBRARIES ncursesw)
check_c_source_compiles("#include <curses.h>
int main(void) { return newterm(0, 0, 0) == 0 || use_default_colors() || set_escdelay(1); }"
                        salut_has_curses)
unset(CMAKE_REQUIRED_LIBRARIES)
if(salut_has_curses)
  target_compile_definitions(salut-commands PRIVATE SLT_HAVE_CURSES)
  salut_link(salut-commands ncursesw)
endif()

# A program from one source file, with the whole house below it.
function(salut_program target source)
  add_executable(${target} ${source})
  salut_flags(${target})
  salut_system(${target})
  target_include_directories(${target} PRIVATE ${salut_root}/src ${salut_root}
                             ${salut_root}/tests)
  target_link_libraries(${target} PRIVATE salut-commands)
endfunction()

if(SALUT_PROGRAM AND EXISTS ${salut_root}/cli/main.c)
  salut_program(salut cli/main.c)
endif()

if(SALUT_PROGRAM AND packetdrill_sources AND NOT SALUT_FUZZ)
  add_library(salut-packetdrill SHARED ${packetdrill_sources})
  salut_flags(salut-packetdrill)
  salut_system(salut-packetdrill)
  target_include_directories(salut-packetdrill PRIVATE ${salut_root}/src ${salut_root})
  target_link_libraries(salut-packetdrill PRIVATE salut-lab)
  target_link_options(salut-packetdrill PRIVATE
    -Wl,--version-script=${salut_root}/cmake/packetdrill.map)
endif()

# One program per file of examples/ (public headers only).
if(SALUT_EXTRAS AND NOT SALUT_FUZZ)
  salut_glob(example_sources examples)
  foreach(source IN LISTS example_sources)
    get_filename_component(name ${source} NAME_WE)
    add_executable(example-${name} ${source})
    salut_flags(example-${name})
    salut_system(example-${name})
    target_link_libraries(example-${name} PRIVATE salut-static)
    set_target_properties(example-${name} PROPERTIES
      OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/examples)
  endforeach()
endif()
