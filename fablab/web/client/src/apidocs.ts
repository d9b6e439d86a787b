import 'swagger-ui-dist/swagger-ui.css'
import SwaggerUIBundle from 'swagger-ui-dist/swagger-ui-es-bundle.js'

const place = document.querySelector<HTMLElement>('#api-docs')!
SwaggerUIBundle({ domNode: place, url: place.dataset.document ?? '', deepLinking: true, docExpansion: 'none', filter: true, validatorUrl: null })
