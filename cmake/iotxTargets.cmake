# Defines the imported targets, for an installed tree (iotxConfig.cmake), for the source tree
# (CMakeLists.txt) and for the examples:
#
#   iotx::iotx   iotx::iotx_static    SDK and HAL, shared and static
#   iotx::hal    iotx::hal_static     the HAL alone, for firmware that keeps its C core
#   iotx::core   iotx::port           the SDK without HAL and the default HAL, both static: for a port that is
#                                     a library of the project, see iotx_link_port()
#   iotx::headers                     the include folder alone, to compile such a port
#   iotx::take_port                   link option: with it a port's archive in front of iotx::iotx or
#                                     iotx::iotx_static gives every definition that it has
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
  foreach(target core port)
    add_library(iotx::${target} STATIC IMPORTED GLOBAL)
    set_target_properties(iotx::${target} PROPERTIES
      IMPORTED_LOCATION "${LIB_DIR}/libiotx_${target}.a"
      INTERFACE_INCLUDE_DIRECTORIES "${INCLUDE_DIR}"
      INTERFACE_LINK_LIBRARIES "${NATIVE_LIBS}")
  endforeach()
  # The default port stands on the core, in which its functions end.
  set_property(TARGET iotx::port APPEND PROPERTY INTERFACE_LINK_LIBRARIES iotx::core)
  add_library(iotx::headers INTERFACE IMPORTED GLOBAL)
  set_property(TARGET iotx::headers PROPERTY INTERFACE_INCLUDE_DIRECTORIES "${INCLUDE_DIR}")
  add_library(iotx::take_port INTERFACE IMPORTED GLOBAL)
  set_property(TARGET iotx::take_port PROPERTY INTERFACE_LINK_LIBRARIES "-Wl,@${LIB_DIR}/iotx_take_port.rsp")
endfunction()

# iotx_link_port(APP PORT...): links APP with the SDK and the static libraries PORT... that are its port.
# What these define is used; the default port supplies the rest. STRICT as the first of PORT... leaves the
# default port out: the linker then names what the port lacks.
function(iotx_link_port APP)
  set(ports ${ARGN})
  list(FIND ports STRICT strict)
  list(REMOVE_ITEM ports STRICT)
  if(NOT ports)
    message(FATAL_ERROR "iotx_link_port(${APP}): no library of a port is given")
  endif()
  if(strict EQUAL -1)
    list(APPEND ports iotx::port)
  endif()
  target_link_libraries(${APP} PRIVATE iotx::core ${ports})
endfunction()
