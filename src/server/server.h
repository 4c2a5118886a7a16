/* What the floors above use of the server: to register something of their own with an application.
 */
#ifndef RILL_SRC_SERVER_SERVER_H
#define RILL_SRC_SERVER_SERVER_H

#include <rill/server.h>

/* Zeroed memory that lives as long as the application; NULL when memory is short, which the
 * application then tells when it is to run. */
void *rill__app_alloc(rill_app *app, size_t size);
/* Keeps the error that stands as the application's mistake, unless it has one. */
void rill__app_mistake(rill_app *app);

#endif
