# tests/<folder>/test_*.c: one cmocka program each. tests/fuzz/fuzz_*.c: libFuzzer programs with
# SALUT_FUZZ, otherwise programs that replay the corpus and a few thousand seeded inputs.
# tests/support/*.c is linked to all of them. The build directory gets tests.list and fuzz.list,
# in the form tools/run-tests reads.

salut_glob(support_sources tests/support)
salut_library(salut-test-support STATIC "${support_sources}")
salut_link(salut-test-support salut-commands)
salut_system(salut-test-support)
if(support_sources)
  target_include_directories(salut-test-support PRIVATE tests)
endif()

# cmocka of the system; for 32-bit builds, where only the 64-bit one is installed, the small one
# in tests/support/cmocka32, which offers the part of the interface that the tests use.
function(salut_cmocka target)
  if(CMAKE_SIZEOF_VOID_P EQUAL 4)
    target_include_directories(${target} SYSTEM PRIVATE ${salut_root}/tests/support/cmocka32)
  else()
    target_include_directories(${target} SYSTEM PRIVATE ${CMOCKA_INCLUDE})
    target_link_libraries(${target} PRIVATE ${CMOCKA_LIBRARY})
  endif()
endfunction()

set(tests_list "")
set(fuzz_list "")

if(SALUT_TESTS)
  if(NOT CMAKE_SIZEOF_VOID_P EQUAL 4)
    find_path(CMOCKA_INCLUDE cmocka.h REQUIRED)
    find_library(CMOCKA_LIBRARY cmocka REQUIRED)
  endif()
  file(GLOB test_sources RELATIVE ${salut_root} CONFIGURE_DEPENDS tests/*/test_*.c)
  if(NOT SALUT_HAS_RUN)
    list(FILTER test_sources EXCLUDE REGEX "^tests/run/")
  endif()
  foreach(source IN LISTS test_sources)
    get_filename_component(name ${source} NAME_WE)
    get_filename_component(folder ${source} DIRECTORY)
    get_filename_component(folder ${folder} NAME)
    set(target ${folder}-${name})
    salut_program(${target} ${source})
    salut_cmocka(${target})
    target_link_libraries(${target} PRIVATE salut-test-support)
    set_target_properties(${target} PROPERTIES
      OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/tests/${folder})
    add_test(NAME ${folder}/${name} COMMAND ${target} WORKING_DIRECTORY ${salut_root})
    set_tests_properties(${folder}/${name} PROPERTIES SKIP_RETURN_CODE 77)
    string(APPEND tests_list "${folder}/${name} | $<TARGET_FILE:${target}> | 60 par\n")
  endforeach()
endif()

# Programs of several files: the driver of the tables, and the simulator's.
if(SALUT_TESTS)
  salut_glob(conform_sources tests/conform)
  if(conform_sources)
    salut_program(conform "${conform_sources}")
    set_target_properties(conform PROPERTIES
      RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/tests/conform)
  endif()
  if(EXISTS ${salut_root}/tests/lab/sim_main.c)
    salut_program(sim tests/lab/sim_main.c)
    set_target_properties(sim PROPERTIES
      RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/tests/lab)
  endif()
endif()

# Programs that the tests against real peers run as their kernel side: tests/peers/*_client.c.
if(SALUT_TESTS)
  file(GLOB peer_sources RELATIVE ${salut_root} CONFIGURE_DEPENDS tests/peers/*_client.c)
  foreach(source IN LISTS peer_sources)
    get_filename_component(name ${source} NAME_WE)
    add_executable(peers-${name} ${source})
    salut_flags(peers-${name})
    salut_system(peers-${name})
    set_target_properties(peers-${name} PROPERTIES
      OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/tests/peers)
  endforeach()
endif()

# What the tests of `salut run` put under it (tests/run/runs.py): the matrix of socket behaviours, and
# a program without a dynamic loader; and what floods it. None knows anything of salut.
if(SALUT_TESTS AND CMAKE_SIZEOF_VOID_P EQUAL 8)
  file(GLOB matrix_sources RELATIVE ${salut_root} CONFIGURE_DEPENDS
       tests/run/sockets_*.c tests/run/rows_*.c)
  add_executable(run-sockets_matrix ${matrix_sources})
  add_executable(run-static_talk tests/run/static_talk.c)
  add_executable(run-syn_flood tests/run/syn_flood.c)
  target_link_options(run-static_talk PRIVATE -static)
  target_link_libraries(run-sockets_matrix PRIVATE pthread)
  foreach(name sockets_matrix static_talk syn_flood)
    set_target_properties(run-${name} PROPERTIES C_STANDARD 11 C_STANDARD_REQUIRED ON
      C_EXTENSIONS OFF POSITION_INDEPENDENT_CODE OFF
      OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/tests/run)
    target_compile_options(run-${name} PRIVATE ${salut_warnings})
    salut_system(run-${name})
  endforeach()
endif()

file(GLOB fuzz_sources RELATIVE ${salut_root} CONFIGURE_DEPENDS tests/fuzz/fuzz_*.c)
foreach(source IN LISTS fuzz_sources)
  get_filename_component(name ${source} NAME_WE)
  salut_program(${name} ${source})
  target_link_libraries(${name} PRIVATE salut-test-support)
  set_target_properties(${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/fuzz)
  if(SALUT_FUZZ)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    string(APPEND fuzz_list "fuzz/${name} | tools/fuzz-one $<TARGET_FILE:${name}> | 0 par\n")
  else()
    target_sources(${name} PRIVATE tests/fuzz/replay.c)
    string(APPEND tests_list
           "fuzz/${name} | $<TARGET_FILE:${name}> tests/fuzz/corpus/${name} | 60 par\n")
  endif()
endforeach()

file(GENERATE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/tests.list CONTENT "${tests_list}")
file(GENERATE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/fuzz.list CONTENT "${fuzz_list}")
