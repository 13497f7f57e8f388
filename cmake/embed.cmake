# Turn a page and what it refers to into bytes in a C file, so that the program needs no file beside
# it:  cmake -D PAGE=cli/page/explain.html -D OUT=explain_page_bytes.c -P cmake/embed.cmake
#
# The page is a page as it stands: a browser can open it where it lies, beside its style sheet and
# scripts. Here these are put in its place where it refers to them, and it is cut in two where it
# refers to its data (NAME.data.js), which the program writes between both halves. Arrays of bytes,
# as C11 promises no string literal of more than 4095 characters.

get_filename_component(folder ${PAGE} DIRECTORY)
get_filename_component(name ${PAGE} NAME_WE)
set(cut "<script src=\"${name}.data.js\"></script>")
file(READ ${PAGE} page)

# Put `text` where the page has `place`.
function(put_in place text)
  string(FIND "${page}" "${place}" at)
  if(at EQUAL -1)
    message(FATAL_ERROR "${PAGE} lacks ${place}")
  endif()
  string(REPLACE "${place}" "${text}" page "${page}")
  set(page "${page}" PARENT_SCOPE)
endfunction()

# Append an array of the bytes of `text`, and its size, to the C file.
function(add_array array text)
  string(HEX "${text}" digits)
  string(REGEX REPLACE "(................................)" "\\1\n" lines "${digits}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${lines}")
  file(APPEND ${OUT} "\nconst unsigned char ${array}[] = {\n${bytes}\n};\n"
                     "const size_t ${array}_size = sizeof(${array});\n")
endfunction()

file(READ ${folder}/${name}.css style)
put_in("<link rel=\"stylesheet\" href=\"${name}.css\">" "<style>\n${style}</style>")

string(REGEX MATCHALL "<script src=\"[^\"]+\"></script>" references "${page}")
list(REMOVE_ITEM references "${cut}")
foreach(reference IN LISTS references)
  string(REGEX REPLACE ".*\"(.*)\".*" "\\1" file "${reference}")
  file(READ ${folder}/${file} script)
  put_in("${reference}" "<script>\n${script}</script>")
endforeach()

string(FIND "${page}" "${cut}" before_size)
if(before_size EQUAL -1)
  message(FATAL_ERROR "${PAGE} lacks ${cut}")
endif()
string(LENGTH "${cut}" cut_size)
math(EXPR after "${before_size} + ${cut_size}")
string(SUBSTRING "${page}" 0 ${before_size} before)
string(SUBSTRING "${page}" ${after} -1 behind)

file(WRITE ${OUT} "/* Made by cmake/embed.cmake of ${name}.html and its parts: edit those. */\n"
                  "#include \"cli/explain_page_bytes.h\"\n")
add_array(slt_${name}_page_before "${before}<script>\nconst DATA = ")
add_array(slt_${name}_page_behind ";\n</script>${behind}")
