# Defines the imported targets of the four libraries, for an installed tree (iotxConfig.cmake), for
# the source tree (CMakeLists.txt) and for the examples:
#
#   iotx::iotx   iotx::iotx_static    SDK and HAL, shared and static
#   iotx::hal    iotx::hal_static     the HAL alone, for firmware that keeps its C core
#
# LIB_DIR holds the libraries, INCLUDE_DIR the headers; NATIVE_LIBS are the system libraries that a
# static link adds.
function(iotx_add_targets LIB_DIR INCLUDE_DIR NATIVE_LIBS)
  if(TARGET iotx::iotx)
    return()
  endif()
  foreach(target iotx hal)
    set(file iotx)
    if(target STREQUAL hal)
      set(file iotx_hal)
    endif()
    add_library(iotx::${target} SHARED IMPORTED GLOBAL)
    set_target_properties(iotx::${target} PROPERTIES
      IMPORTED_LOCATION "${LIB_DIR}/lib${file}.so.0"
      IMPORTED_SONAME "lib${file}.so.0"
      INTERFACE_INCLUDE_DIRECTORIES "${INCLUDE_DIR}")
    add_library(iotx::${target}_static STATIC IMPORTED GLOBAL)
    set_target_properties(iotx::${target}_static PROPERTIES
      IMPORTED_LOCATION "${LIB_DIR}/lib${file}.a"
      INTERFACE_INCLUDE_DIRECTORIES "${INCLUDE_DIR}"
      INTERFACE_LINK_LIBRARIES "${NATIVE_LIBS}")
  endforeach()
endfunction()
